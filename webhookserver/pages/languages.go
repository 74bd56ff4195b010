package pages

import "golang.org/x/text/language"

// Languages of the pages; the first is for those who ask for none of them.
var Languages = []language.Tag{
	language.English,
	language.MustParse("zh-TW"),
	language.Japanese,
	language.Thai,
	language.French,
}

var matcher = language.NewMatcher(Languages)

// Match gives the page language for the preferences, best first: values of OpenID Connect's ui_locales or of
// Accept-Language (RFC 9110 section 12.5.4). What is not a language tag is passed over.
func Match(preferences ...string) language.Tag {
	_, index := language.MatchStrings(matcher, preferences...)
	return Languages[index]
}

// catalogue holds the words of each language.
var catalogue = map[language.Tag]*words{
	Languages[0]: &english,
	Languages[1]: &chinese,
	Languages[2]: &japanese,
	Languages[3]: &thai,
	Languages[4]: &french,
}

// words are the sentences of one language. A sentence with %s takes the name that its comment says.
type words struct {
	SignedInAs     string // heading of consent; the account follows
	NotYou         string // button beside the account
	WillBeLinked   string // introduces the chat user
	OnPlatform     string // %s: LINE or Messenger
	UnknownUser    string // in place of a chat user whom nobody knows yet
	WithChannel    string // %s: the channel's name
	OnlyIf         string // the warning's first sentence
	SomebodySent   string // the warning's question
	CancelThen     string // its answer
	UnlinkAnyTime  string // %s: the channel's name
	Link, Cancel   string // the buttons
	Claims         map[string]string
	LandingText    string
	CancelledTitle string
	CancelledText  string
	DoneTitle      string
	DoneText       string
	Reference      string // before a request id
	Problems       map[ProblemKind]problem
}

// problem is what a person reads when something goes wrong: what, and what to do.
type problem struct{ Title, Advice string }
