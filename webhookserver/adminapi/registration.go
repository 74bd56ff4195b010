package adminapi

// RegistrationState says what the server found of the webhook that is set at the platform.
type RegistrationState string

// The states of a registration.
const (
	// RegistrationPending: the platform has not been asked yet.
	RegistrationPending RegistrationState = "Pending"
	// RegistrationInPlace: the platform calls this channel.
	RegistrationInPlace RegistrationState = "InPlace"
	// RegistrationSubscribed: the page's events go to an app, and whether that calls this channel cannot be read without the
	// app secret.
	RegistrationSubscribed RegistrationState = "Subscribed"
	// RegistrationOtherURL: the platform calls another URL.
	RegistrationOtherURL RegistrationState = "OtherURL"
	// RegistrationNoURL: no URL is set at the platform.
	RegistrationNoURL RegistrationState = "NoURL"
	// RegistrationInactive: the URL is this channel's, and the platform does not use it.
	RegistrationInactive RegistrationState = "Inactive"
	// RegistrationNotSubscribed: the event that confirms a link is not among those that the platform sends.
	RegistrationNotSubscribed RegistrationState = "NotSubscribed"
	// RegistrationTestFailed: the platform's own test of the URL failed.
	RegistrationTestFailed RegistrationState = "TestFailed"
	// RegistrationTokenRejected: the platform does not let the channel's token read it.
	RegistrationTokenRejected RegistrationState = "TokenRejected"
	// RegistrationUnreachable: the platform has not answered for too long.
	RegistrationUnreachable RegistrationState = "Unreachable"
	// RegistrationUnknown stands for a value that this release does not know.
	RegistrationUnknown RegistrationState = "Unknown"
)

// RegistrationTest says how the platform's test of the URL failed.
type RegistrationTest string

// The failures of a test.
const (
	TestCouldNotConnect RegistrationTest = "CouldNotConnect"
	TestTimedOut        RegistrationTest = "TimedOut"
	TestBadStatus       RegistrationTest = "BadStatus"
	TestFailedSomehow   RegistrationTest = "Failed"
	// TestUnknown stands for a value that this release does not know.
	TestUnknown RegistrationTest = "Unknown"
)

// Registration is how the platform is set up to call the channel.
type Registration struct {
	State RegistrationState `json:"state"`
	// Test is how the platform's test failed, with state TestFailed.
	Test RegistrationTest `json:"test,omitempty"`
	// HTTPStatus that the platform got, with test BadStatus.
	HTTPStatus int `json:"httpStatus,omitempty"`
}

func (r *Registration) known() *Registration {
	if r == nil {
		return nil
	}
	out := *r
	out.State = oneOf(r.State, RegistrationUnknown,
		RegistrationPending, RegistrationInPlace, RegistrationSubscribed, RegistrationOtherURL, RegistrationNoURL, RegistrationInactive,
		RegistrationNotSubscribed, RegistrationTestFailed, RegistrationTokenRejected, RegistrationUnreachable)
	if r.Test != "" {
		out.Test = oneOf(r.Test, TestUnknown, TestCouldNotConnect, TestTimedOut, TestBadStatus, TestFailedSomehow)
	}
	out.HTTPStatus = statusCode(r.HTTPStatus)
	return &out
}
