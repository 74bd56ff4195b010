// The end of a login. In a window of its own, as the chat app's browser is, it goes back to the chat by itself.
if (window.opener) setTimeout(() => window.close(), 1500);
