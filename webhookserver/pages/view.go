package pages

import "golang.org/x/text/language"

// Look is how a channel's pages look: its owner's name, logo and colour.
type Look struct {
	// Name of the channel as its owner shows it.
	Name string
	// Logo is a PNG or SVG of at most 64 KiB, shown as an image (never as markup); empty for none.
	Logo []byte
	// Accent is the colour of the main button, #rrggbb; empty for the default. Text on it is black or white, whichever
	// can be read.
	Accent string
}

// Head is what every page has.
type Head struct {
	Look Look
	// Language of the page: one of Languages.
	Language language.Tag
	// RequestID is what the person may tell to somebody who reads the server's log; empty for none.
	RequestID string
}

// Landing is what a person sees who opens the channel's public URL itself.
type Landing struct{ Head }

// Consent asks whether the signed-in person wants the chat user linked.
type Consent struct {
	Head
	// Platform is LINE or Facebook.
	Platform string
	// ChatName and ChatPicture are the chat user's own, where the platform gives them; MaskedUser is shown otherwise
	// (U206…7cb8), and is empty when nobody can know yet which chat user it is.
	ChatName    string
	ChatPicture []byte
	MaskedUser  string
	// Claims say who is signed in: the display claims and their values.
	Claims []Claim
	// Action is the URL that the form posts to. Token is the session's form token.
	Action, Token string
}

// Claim is one claim of the signed-in person. Label is translated where the name is a standard one (name, email,
// preferred_username, phone_number), and else the name itself.
type Claim struct{ Name, Value string }

// Form names the fields of the consent form and the values of its button field.
const (
	FieldToken  = "token"
	FieldChoice = "choice"

	ChoiceLink   = "link"
	ChoiceCancel = "cancel"
	ChoiceNotYou = "not-you"
)

// EndKind says how a flow ended that ends with us and not with a redirect.
type EndKind string

// How a flow can end with us.
const (
	// EndCancelled: the person has cancelled; nothing was linked. On LINE there is nowhere to send a browser then.
	EndCancelled EndKind = "cancelled"
	// EndDone: this login was finished before; going back or reloading changes nothing.
	EndDone EndKind = "done"
)

// End is the last page of a flow that ends with us.
type End struct {
	Head
	Kind EndKind
}

// ProblemKind says what went wrong, in the words of a person.
type ProblemKind string

// The problems. What a person can do differs between them; why it happened does not matter to him.
const (
	// ProblemNotFound: there is no such page.
	ProblemNotFound ProblemKind = "not-found"
	// ProblemParameters: the login URL lacks what the platform adds, or has something twice. Start again from the chat.
	ProblemParameters ProblemKind = "parameters"
	// ProblemExpired: the login took too long, or the platform's token did.
	ProblemExpired ProblemKind = "expired"
	// ProblemUsed: this login, or the button's token, has been used.
	ProblemUsed ProblemKind = "used"
	// ProblemCookie: the browser did not bring the cookie back: another browser, or cookies are off.
	ProblemCookie ProblemKind = "cookie"
	// ProblemInsecure: the browser keeps no Secure cookie on plain http to localhost (Safari).
	ProblemInsecure ProblemKind = "insecure"
	// ProblemRefused: the provider or the channel's rules refuse this account.
	ProblemRefused ProblemKind = "refused"
	// ProblemTooManyLinks: this account is linked with as many chat users as it may be.
	ProblemTooManyLinks ProblemKind = "too-many-links"
	// ProblemIssuer: the provider cannot be reached.
	ProblemIssuer ProblemKind = "issuer"
	// ProblemBusy: too much is going on, or the store is away; try again in a minute.
	ProblemBusy ProblemKind = "busy"
	// ProblemInternal: something of ours is wrong.
	ProblemInternal ProblemKind = "internal"
)

// Trouble is a displayed error.
type Trouble struct {
	Head
	Kind ProblemKind
}
