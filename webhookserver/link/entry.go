package link

import "time"

// Entry is what a platform's parameters say of a login that begins, checked by that platform.
type Entry struct {
	// UserID is the chat user that the parameters claim; empty where they name none. Nobody has signed it.
	UserID string
	// Token is the platform's one-time token (linkToken, account_linking_token) that the consent spends.
	Token string
	// TokenLife is how long the token is good from its issue, which was no later than now.
	TokenLife time.Duration
	// TokenEnd is when the token ends, where its issue is known; the zero time elsewhere.
	TokenEnd time.Time
	// Params are the parameters that the way back needs, each as it came. They are kept with the session and must not be
	// shown or logged.
	Params map[string]string
}

// ChatUser is who a login is for, as far as the platform tells.
type ChatUser struct {
	// UserID is the chat user. When it is not Verified it is the one that the parameters claim.
	UserID string
	// Verified: the platform itself says that the token belongs to this user.
	Verified bool
	// Name is what the user is called in the chat; empty if it cannot be had.
	Name string
	// Picture is a small PNG or JPEG, encoded anew by us; nil if it cannot be had.
	Picture []byte
}

// ParamProblem says what is wrong with a parameter. The set is closed, so a problem may stand in a log or a metric.
type ParamProblem string

// The problems of parameters.
const (
	ParamMissing     ParamProblem = "missing"
	ParamRepeated    ParamProblem = "repeated"
	ParamUnknown     ParamProblem = "unknown"     // no parameter of this route
	ParamTooLong     ParamProblem = "too long"    // also: too many of them
	ParamMalformed   ParamProblem = "malformed"   // not of the form that the platform gives it
	ParamWrongPage   ParamProblem = "wrong page"  // names another page or account than this channel's
	ParamConflicting ParamProblem = "conflicting" // cannot stand beside another one, or contradicts it
	ParamRefused     ParamProblem = "refused"     // a URL that the browser is not sent to
)

// ParamError is a parameter that a login cannot begin with. It holds no value that came in.
type ParamError struct {
	// Param is the parameter's name, one that the platform documents; empty when it is about a name that nobody knows.
	Param   string
	Problem ParamProblem
}

// Error names the parameter and what is wrong with it.
func (e *ParamError) Error() string {
	if e.Param == "" {
		return "parameter: " + string(e.Problem)
	}
	return "parameter " + e.Param + ": " + string(e.Problem)
}
