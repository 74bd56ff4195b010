package line

// LogoutPostback is the data of the postback that the log-out button sends (at most 300 characters, says LINE). The prefix
// keeps it apart from the postbacks of the bot that is already there. It names no user and no link: LINE signs the event,
// and its source says who tapped.
const LogoutPostback = "channellink:logout"
