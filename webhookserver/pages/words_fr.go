package pages

// french has a no-break space (U+00A0) wherever its typography asks for one: before : ; ? ! and inside quotation marks.
var french = words{
	SignedInAs:    "Vous êtes connecté en tant que",
	NotYou:        "Ce n’est pas vous ?",
	WillBeLinked:  "Ce compte sera associé à",
	OnPlatform:    "sur %s",
	UnknownUser:   "La discussion où vous avez touché « Se connecter »",
	WithChannel:   "dans la discussion avec %s",
	OnlyIf:        "Ne continuez que si vous avez vous-même touché « Se connecter » dans la discussion à l’instant.",
	SomebodySent:  "Quelqu’un vous a envoyé ce lien ?",
	CancelThen:    "Alors annulez.",
	UnlinkAnyTime: "Vous pouvez dissocier le compte à tout moment : touchez « Se déconnecter » dans la discussion avec %s.",
	Link:          "Associer le compte",
	Cancel:        "Annuler",
	Claims: map[string]string{
		"name": "Nom", "email": "E-mail", "preferred_username": "Identifiant", "phone_number": "Téléphone",
	},
	LandingText:    "Cette adresse associe votre compte de messagerie à votre connexion. Pour commencer, ouvrez la discussion et touchez « Se connecter ».",
	CancelledTitle: "Annulé",
	CancelledText:  "Rien n’a été associé. Vous pouvez fermer cette page et revenir à la discussion.",
	DoneTitle:      "Cette connexion est terminée",
	DoneText:       "Il n’y a plus rien à faire ici. Revenez à la discussion pour voir si votre compte est associé.",
	Reference:      "Référence",
	Problems: map[ProblemKind]problem{
		ProblemNotFound:     {"Rien ici", "Cette adresse ne mène nulle part. Revenez à la discussion et touchez « Se connecter »."},
		ProblemParameters:   {"Ce lien de connexion est incomplet", "Recommencez depuis la discussion en touchant « Se connecter ». Un lien copié ou transmis ne fonctionne pas."},
		ProblemExpired:      {"La connexion a pris trop de temps", "Revenez à la discussion et touchez de nouveau « Se connecter »."},
		ProblemUsed:         {"Cette connexion a déjà servi", "Chaque bouton « Se connecter » ne sert qu’une fois. Revenez à la discussion et demandez-en un nouveau."},
		ProblemCookie:       {"Cette connexion a commencé dans un autre navigateur", "Recommencez depuis la discussion et autorisez les cookies pour cette page."},
		ProblemInsecure:     {"Ce navigateur ne permet pas de se connecter ici", "Il ne garde pas de cookies pour les adresses sans https. Pour cet essai, utilisez Chrome ou Firefox."},
		ProblemRefused:      {"Ce compte ne peut pas être associé", "Vous êtes connecté, mais cette discussion n’accepte pas ce compte. Utilisez-en un autre, ou adressez-vous aux responsables de la discussion."},
		ProblemTooManyLinks: {"Ce compte est associé trop souvent", "Il est déjà associé à d’autres comptes de messagerie. Déconnectez-vous d’abord dans l’une de ces discussions."},
		ProblemIssuer:       {"La connexion n’est pas disponible", "Le service de connexion ne répond pas. Revenez à la discussion et réessayez dans quelques minutes."},
		ProblemBusy:         {"Trop de demandes en ce moment", "Revenez à la discussion et réessayez dans une minute."},
		ProblemInternal:     {"Un problème est survenu", "C’est de notre fait. Revenez à la discussion et réessayez dans un instant."},
	},
}
