package v1alpha1

// Condition types of a ChannelLink. Ready is all of those that apply, at this moment.
const (
	// ConditionAccepted says that the spec can be carried out and that the channel is free.
	ConditionAccepted = "Accepted"
	// ConditionSecretsReady says that the server finds every key that the spec refers to.
	ConditionSecretsReady = "SecretsReady"
	// ConditionIssuerDiscovered says that the server knows the issuer's endpoints and keys.
	ConditionIssuerDiscovered = "IssuerDiscovered"
	// ConditionStoreReady says that the server can read and write its links.
	ConditionStoreReady = "StoreReady"
	// ConditionAvailable says that the Deployment has the pods it needs.
	ConditionAvailable = "Available"
	// ConditionExposed says that the Ingress or HTTPRoute is in place; present only when one is asked for.
	ConditionExposed = "Exposed"
	// ConditionRegistered says that the platform's webhook URL is ours; present only when it is observed.
	ConditionRegistered = "Registered"
	// ConditionConfirmationSeen says that the platform has confirmed a link. It does not count for Ready.
	ConditionConfirmationSeen = "ConfirmationSeen"
)

// Condition types that both kinds carry. Reconciling and Stalled are those of kstatus.
const (
	// ConditionReady says that the object is as its spec wants it.
	ConditionReady = "Ready"
	// ConditionReconciling says that the operator is still at work or waits for something that may come by itself.
	ConditionReconciling = "Reconciling"
	// ConditionStalled says that only a change by a person can help.
	ConditionStalled = "Stalled"
)

// Condition types of an AccountUnlink beside Ready, Reconciling and Stalled.
const (
	// ConditionComplete is final: the links are revoked, or there were none.
	ConditionComplete = "Complete"
	// ConditionFailed is final: the request ended without success.
	ConditionFailed = "Failed"
)

// Reasons of every condition whose facts are not known yet or that has none to tell.
const (
	// ReasonPending: the operator has not looked at the object yet, or the fact behind the condition is not known yet.
	ReasonPending = "Pending"
	// ReasonReady: everything is as wanted (Ready, and Reconciling and Stalled when they are false).
	ReasonReady = "Ready"
	// ReasonProgressing: the operator or the cluster is at work on it.
	ReasonProgressing = "Progressing"
	// ReasonSuspended: spec.suspend is true.
	ReasonSuspended = "Suspended"
	// ReasonDeleting: the object is being deleted.
	ReasonDeleting = "Deleting"
	// ReasonServerUnreachable: the server's admin API does not answer, so its facts are not known.
	ReasonServerUnreachable = "ServerUnreachable"
	// ReasonServerRefused: the server's admin API refuses the operator's signature, so its facts are not known.
	ReasonServerRefused = "ServerRefused"
	// ReasonApplyFailed: the cluster refused an object of the ChannelLink.
	ReasonApplyFailed = "ApplyFailed"
)

// Reasons of Accepted.
const (
	// ReasonAccepted: the spec can be carried out.
	ReasonAccepted = "Accepted"
	// ReasonConflict: another ChannelLink has the same page, or a public URL that overlaps, or the host belongs to
	// another namespace.
	ReasonConflict = "Conflict"
	// ReasonNameConflict: an object that is not the ChannelLink's bears the name of one of its objects.
	ReasonNameConflict = "NameConflict"
	// ReasonInvalidExpression: oidc.requiredClaims or a service's template does not compile.
	ReasonInvalidExpression = "InvalidExpression"
	// ReasonEndpointNotAllowed: an endpoint is not the platform's public one and no operator flag allows its host.
	ReasonEndpointNotAllowed = "EndpointNotAllowed"
	// ReasonInsecureURL: a plain http URL, which the operator's flag for local addresses would have to allow.
	ReasonInsecureURL = "InsecureURL"
)

// Reasons of SecretsReady.
const (
	// ReasonSecretsPresent: every referenced key is there and not empty.
	ReasonSecretsPresent = "SecretsPresent"
	// ReasonSecretMissing: a referenced Secret or ConfigMap, or its key, does not exist.
	ReasonSecretMissing = "SecretMissing"
	// ReasonSecretEmpty: a referenced key is there and empty.
	ReasonSecretEmpty = "SecretEmpty"
	// ReasonSecretInvalid: a referenced key's value cannot be used, or belongs to another issuer.
	ReasonSecretInvalid = "SecretInvalid"
	// ReasonSecretVanished: a referenced key was there and is gone; the server goes on with the last value.
	ReasonSecretVanished = "SecretVanished"
)

// Reasons of IssuerDiscovered.
const (
	// ReasonDiscovered: the server knows the issuer's endpoints and keys.
	ReasonDiscovered = "Discovered"
	// ReasonStaleMetadata: the issuer does not answer; what was known before, less than 24 hours old, is used.
	ReasonStaleMetadata = "StaleMetadata"
	// ReasonIssuerUnreachable: no connection, or the name does not resolve.
	ReasonIssuerUnreachable = "IssuerUnreachable"
	// ReasonIssuerTimedOut: the issuer did not answer in time.
	ReasonIssuerTimedOut = "IssuerTimedOut"
	// ReasonIssuerAddressRefused: the issuer's address is one that servers may not call.
	ReasonIssuerAddressRefused = "IssuerAddressRefused"
	// ReasonIssuerTLSFailed: the issuer's certificate is not trusted.
	ReasonIssuerTLSFailed = "IssuerTLSFailed"
	// ReasonIssuerRedirected: the discovery document's URL redirects elsewhere, which is not followed.
	ReasonIssuerRedirected = "IssuerRedirected"
	// ReasonIssuerBadStatus: the issuer answered with an error.
	ReasonIssuerBadStatus = "IssuerBadStatus"
	// ReasonIssuerDocumentInvalid: the discovery document or the key set cannot be used, or is too large.
	ReasonIssuerDocumentInvalid = "IssuerDocumentInvalid"
	// ReasonIssuerMismatch: the document names another issuer.
	ReasonIssuerMismatch = "IssuerMismatch"
	// ReasonIssuerEndpointRefused: the document names an endpoint that servers may not call, or plain http.
	ReasonIssuerEndpointRefused = "IssuerEndpointRefused"
	// ReasonPKCEUnsupported: the issuer does not offer PKCE with S256.
	ReasonPKCEUnsupported = "PKCEUnsupported"
	// ReasonCABundleInvalid: the ConfigMap with the issuer's certificates is missing or holds none.
	ReasonCABundleInvalid = "CABundleInvalid"
)

// Reasons of ConfirmationSeen.
const (
	// ReasonConfirmed: the platform has confirmed a login.
	ReasonConfirmed = "Confirmed"
	// ReasonLoginUnconfirmed: since the last confirmation, a login was not confirmed in its time.
	ReasonLoginUnconfirmed = "LoginUnconfirmed"
)

// Reasons of StoreReady.
const (
	// ReasonStoreOpen: the store answers and its schema is current.
	ReasonStoreOpen = "StoreOpen"
	// ReasonVolumeNotGrown: links can be read and written, and the volume cannot grow to the size of the spec.
	ReasonVolumeNotGrown = "VolumeNotGrown"
	// ReasonVolumeOfAnotherClass: links can be read and written, on a volume that was there before, in another storage
	// class than the spec names.
	ReasonVolumeOfAnotherClass = "VolumeOfAnotherClass"
	// ReasonStoreUnavailable: the store does not answer.
	ReasonStoreUnavailable = "StoreUnavailable"
	// ReasonStoreLocked: another process holds the SQLite file.
	ReasonStoreLocked = "StoreLocked"
	// ReasonStoreFull: the store's volume is full.
	ReasonStoreFull = "StoreFull"
	// ReasonStoreSchemaTooNew: a newer server has migrated the store.
	ReasonStoreSchemaTooNew = "StoreSchemaTooNew"
	// ReasonStoreKeyInvalid: the store's encryption key is missing or does not open what was sealed.
	ReasonStoreKeyInvalid = "StoreKeyInvalid"
)

// Reasons of Available.
const (
	// ReasonAvailable: the Deployment has the pods it needs.
	ReasonAvailable = "Available"
	// ReasonPodsNotReady: pods exist and are not ready.
	ReasonPodsNotReady = "PodsNotReady"
	// ReasonPodsNotCreated: the cluster refuses or has not yet made the pods.
	ReasonPodsNotCreated = "PodsNotCreated"
	// ReasonScaledToZero: server.replicas is 0.
	ReasonScaledToZero = "ScaledToZero"
	// ReasonDeploymentMissing: the Deployment is not there yet.
	ReasonDeploymentMissing = "DeploymentMissing"
)

// Reasons of Exposed.
const (
	// ReasonExposed: the Ingress has an address, or the Gateway has accepted the HTTPRoute.
	ReasonExposed = "Exposed"
	// ReasonExposurePending: the Ingress or HTTPRoute is not taken up by a controller yet.
	ReasonExposurePending = "ExposurePending"
	// ReasonRouteNotAccepted: the Gateway refuses the HTTPRoute.
	ReasonRouteNotAccepted = "RouteNotAccepted"
	// ReasonGatewayAPIMissing: the cluster has no Gateway API.
	ReasonGatewayAPIMissing = "GatewayAPIMissing"
)

// Reasons of Registered.
const (
	// ReasonRegistered: the platform calls this server.
	ReasonRegistered = "Registered"
	// ReasonSubscribed: the page sends its linking events to an app whose webhook URL cannot be read without the app secret.
	ReasonSubscribed = "Subscribed"
	// ReasonOtherWebhookURL: the platform calls another URL.
	ReasonOtherWebhookURL = "OtherWebhookURL"
	// ReasonNoWebhookURL: no webhook URL is set at the platform.
	ReasonNoWebhookURL = "NoWebhookURL"
	// ReasonWebhookInactive: the URL is set at the platform and not used.
	ReasonWebhookInactive = "WebhookInactive"
	// ReasonNotSubscribed: the page or the app does not ask for linking events.
	ReasonNotSubscribed = "NotSubscribed"
	// ReasonWebhookUnreached: the platform's own test cannot connect to the URL.
	ReasonWebhookUnreached = "WebhookUnreached"
	// ReasonWebhookTimedOut: the platform's own test had no answer in time.
	ReasonWebhookTimedOut = "WebhookTimedOut"
	// ReasonWebhookBadStatus: the platform's own test got an error.
	ReasonWebhookBadStatus = "WebhookBadStatus"
	// ReasonWebhookTestFailed: the platform's own test failed in a way that this release has no word for.
	ReasonWebhookTestFailed = "WebhookTestFailed"
	// ReasonTokenRejected: the platform does not let the channel's token read how it is set up.
	ReasonTokenRejected = "TokenRejected"
	// ReasonPlatformSilent: the platform has not said for an hour how it is set up.
	ReasonPlatformSilent = "PlatformSilent"
)

// Reasons of an AccountUnlink.
const (
	// ReasonUnlinked: the links are revoked and the platform has been told.
	ReasonUnlinked = "Unlinked"
	// ReasonNotLinked: there was nothing to unlink.
	ReasonNotLinked = "NotLinked"
	// ReasonSupersededByNewerLink: the user has linked again since; the newer link stands.
	ReasonSupersededByNewerLink = "SupersededByNewerLink"
	// ReasonDeadlineExceeded: activeDeadlineSeconds have passed since the first attempt.
	ReasonDeadlineExceeded = "DeadlineExceeded"
	// ReasonRejected: the platform refuses the request for good.
	ReasonRejected = "Rejected"
	// ReasonActionsNotSupported: actions on a channel without BotBonnie.
	ReasonActionsNotSupported = "ActionsNotSupported"
	// ReasonWaitingForChannelLink: no ChannelLink of that name or with those labels.
	ReasonWaitingForChannelLink = "WaitingForChannelLink"
	// ReasonWaitingForServer: the ChannelLink's server does not answer yet.
	ReasonWaitingForServer = "WaitingForServer"
	// ReasonCredentialsRejected: the platform refuses the token; a new one is waited for.
	ReasonCredentialsRejected = "CredentialsRejected"
	// ReasonBackingOff: the last attempt failed and the next is scheduled.
	ReasonBackingOff = "BackingOff"
)
