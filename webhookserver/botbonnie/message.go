package botbonnie

// maxText is the length of a text message in characters (BotBonnie, message formats).
const maxText = 320

// Message is a text message in the form in which BotBonnie's JSON API takes answers.
type Message struct {
	Type    string   `json:"type"`
	Text    string   `json:"text"`
	Buttons []Button `json:"buttons,omitempty"`
}

// Button is a button below a message.
type Button struct {
	Title string `json:"title"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Text is a message of at most 320 characters; what is longer is cut off.
func Text(text string, buttons ...Button) Message {
	if runes := []rune(text); len(runes) > maxText {
		text = string(runes[:maxText-1]) + "…"
	}
	return Message{Type: "text", Text: text, Buttons: buttons}
}

// Postback is a button that starts one of the bot's modules.
func Postback(title, module string) Button {
	return Button{Title: title, Type: "postback", Value: module}
}
