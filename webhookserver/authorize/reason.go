package authorize

import (
	"errors"
	"net/http"

	"channellink.dev/operator/webhookserver/link"
	"channellink.dev/operator/webhookserver/pages"
)

// Reason says how a step ended. The set is closed, so a reason may stand in a metric.
type Reason string

// How steps end well.
const (
	OK       Reason = "ok"
	Preview  Reason = "preview"  // a robot that looks at the link, or a HEAD request: nothing was begun
	Canceled Reason = "canceled" // the person said no, here or at the issuer
	Repeated Reason = "repeated" // asked again after the end: answered the same, nothing was done
)

// Why a request proves nothing.
const (
	QueryMalformed   Reason = "query_malformed"
	ParamInvalid     Reason = "param_invalid"
	StateMalformed   Reason = "state_malformed"
	SessionUnknown   Reason = "session_unknown"
	SessionExpired   Reason = "session_expired"
	AlreadyUsed      Reason = "already_used"
	CookieMissing    Reason = "cookie_missing"
	CookieRepeated   Reason = "cookie_repeated"
	CookieWrong      Reason = "cookie_wrong"
	IssuerParamWrong Reason = "iss_wrong"
	CrossOrigin      Reason = "cross_origin"
	FormTokenWrong   Reason = "form_token_wrong"
)

// What the issuer did.
const (
	IssuerUnknown     Reason = "issuer_unknown"     // no metadata that may be used
	IssuerUnavailable Reason = "issuer_unavailable" // it says so itself, or cannot be reached
	IssuerRefused     Reason = "issuer_refused"     // an error answer about this person or request
	ClientUnusable    Reason = "client_unusable"    // our credentials are missing, or bound to another issuer
	ClientRefused     Reason = "client_refused"     // the issuer does not take our credentials
	CodeRefused       Reason = "code_refused"       // the issuer does not take its own code
	TokenMalformed    Reason = "token_malformed"    // the token endpoint answered something else
)

// What is wrong with an ID token.
const (
	IDTokenSignature Reason = "id_token_signature"
	IDTokenMalformed Reason = "id_token_malformed"
	IDTokenType      Reason = "id_token_type"
	IDTokenIssuer    Reason = "id_token_issuer"
	IDTokenAudience  Reason = "id_token_audience"
	IDTokenExpired   Reason = "id_token_expired"
	IDTokenTime      Reason = "id_token_time"
	IDTokenNonce     Reason = "id_token_nonce"
	IDTokenHash      Reason = "id_token_hash"
	IDTokenSubject   Reason = "id_token_subject"
	IDTokenAuthTime  Reason = "id_token_auth_time"
	IDTokenACR       Reason = "id_token_acr"
)

// Why a person who is signed in does not get a link.
const (
	RequiredClaims  Reason = "required_claims"
	UserClaim       Reason = "user_claim"
	OtherChatUser   Reason = "other_chat_user"
	PlatformExpired Reason = "platform_expired"
	TokenSpent      Reason = "token_spent"
	TooManyLinks    Reason = "too_many_links"
)

// What is not the person's fault.
const (
	TooManySessions     Reason = "too_many_sessions"
	StoreUnavailable    Reason = "store_unavailable"
	PlatformUnavailable Reason = "platform_unavailable"
	CodeKeyMissing      Reason = "code_key_missing"
	Internal            Reason = "internal"
)

// display is how a refusal looks from outside.
type display struct {
	kind pages.ProblemKind
	code int
}

// displays gives the page of each reason that is a refusal. What a person reads says what to do, not what happened.
var displays = map[Reason]display{
	QueryMalformed:   {pages.ProblemParameters, http.StatusBadRequest},
	ParamInvalid:     {pages.ProblemParameters, http.StatusBadRequest},
	StateMalformed:   {pages.ProblemParameters, http.StatusBadRequest},
	SessionUnknown:   {pages.ProblemExpired, http.StatusGone},
	SessionExpired:   {pages.ProblemExpired, http.StatusGone},
	AlreadyUsed:      {pages.ProblemUsed, http.StatusConflict},
	CookieMissing:    {pages.ProblemCookie, http.StatusBadRequest},
	CookieRepeated:   {pages.ProblemCookie, http.StatusBadRequest},
	CookieWrong:      {pages.ProblemCookie, http.StatusForbidden},
	IssuerParamWrong: {pages.ProblemParameters, http.StatusBadRequest},
	CrossOrigin:      {pages.ProblemParameters, http.StatusForbidden},
	FormTokenWrong:   {pages.ProblemParameters, http.StatusForbidden},

	IssuerUnknown:     {pages.ProblemIssuer, http.StatusServiceUnavailable},
	IssuerUnavailable: {pages.ProblemIssuer, http.StatusServiceUnavailable},
	IssuerRefused:     {pages.ProblemRefused, http.StatusForbidden},
	ClientUnusable:    {pages.ProblemIssuer, http.StatusServiceUnavailable},
	ClientRefused:     {pages.ProblemIssuer, http.StatusBadGateway},
	CodeRefused:       {pages.ProblemExpired, http.StatusBadRequest},
	TokenMalformed:    {pages.ProblemIssuer, http.StatusBadGateway},

	IDTokenSignature: {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenMalformed: {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenType:      {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenIssuer:    {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenAudience:  {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenExpired:   {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenTime:      {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenNonce:     {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenHash:      {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenSubject:   {pages.ProblemIssuer, http.StatusBadGateway},
	IDTokenAuthTime:  {pages.ProblemRefused, http.StatusForbidden},
	IDTokenACR:       {pages.ProblemRefused, http.StatusForbidden},

	RequiredClaims:  {pages.ProblemRefused, http.StatusForbidden},
	UserClaim:       {pages.ProblemRefused, http.StatusForbidden},
	OtherChatUser:   {pages.ProblemParameters, http.StatusForbidden},
	PlatformExpired: {pages.ProblemExpired, http.StatusGone},
	TokenSpent:      {pages.ProblemUsed, http.StatusConflict},
	TooManyLinks:    {pages.ProblemTooManyLinks, http.StatusForbidden},

	TooManySessions:     {pages.ProblemBusy, http.StatusServiceUnavailable},
	StoreUnavailable:    {pages.ProblemBusy, http.StatusServiceUnavailable},
	PlatformUnavailable: {pages.ProblemBusy, http.StatusServiceUnavailable},
	CodeKeyMissing:      {pages.ProblemBusy, http.StatusServiceUnavailable},
	Internal:            {pages.ProblemInternal, http.StatusInternalServerError},
}

// refusal is a displayed error. Its cause goes to the log, so it must be one that quotes neither the request nor the issuer.
type refusal struct {
	reason Reason
	cause  error
}

func refuse(reason Reason, cause error) error { return &refusal{reason, cause} }

// Error names the reason and the cause.
func (r *refusal) Error() string {
	if r.cause == nil {
		return string(r.reason)
	}
	return string(r.reason) + ": " + r.cause.Error()
}

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.cause }

// storeRefusal says what an error of the store means to the person.
func storeRefusal(err error) error {
	for _, known := range []struct {
		err    error
		reason Reason
	}{
		{link.ErrNotFound, SessionUnknown},
		{link.ErrExpired, SessionExpired},
		{link.ErrAlreadyUsed, AlreadyUsed},
		{link.ErrTokenSpent, TokenSpent},
		{link.ErrTooManyLinks, TooManyLinks},
		{link.ErrTooManySessions, TooManySessions},
	} {
		if errors.Is(err, known.err) {
			return refuse(known.reason, nil)
		}
	}
	return refuse(StoreUnavailable, err)
}
