package webhookserver

import "time"

// Limits and time-outs of the three ports. The public one faces the internet: every resource that a stranger can take is
// bounded here.
const (
	// readHeaderTimeout is how long a connection may take over one request's header. A platform sends it in one packet;
	// only slow-header attacks take longer.
	readHeaderTimeout = 5 * time.Second
	// readTimeout is how long a request may take with its body. Platforms give up on an answer after 1 to 10 seconds, so a
	// body that takes longer has no reader any more.
	readTimeout = 10 * time.Second
	// writeTimeout is the whole exchange from the end of the header. It covers the longest handler, an unlink of 15 s.
	writeTimeout = 30 * time.Second
	// idleTimeout is how long a kept-alive connection may be silent. It is longer than the idle time of the common
	// proxies (60 to 90 s), so that they close first and never send into a closing connection.
	idleTimeout = 2 * time.Minute

	// maxHeaderBytes of one request. Cookies of five login flows and a long query take under 8 KiB.
	maxHeaderBytes = 16 << 10
	// maxStrayBody is what is read of a body that no route asked for, so that a connection can be used again.
	maxStrayBody = 64 << 10
	// maxFormBody is the consent form: a token of 43 characters and a choice.
	maxFormBody = 4 << 10
	// maxAdminBody is an unlink with 32 actions of 1,152 characters each, as JSON writes them at worst.
	maxAdminBody = 256 << 10

	// freeBody is what the body of each signed call may take before it was verified. Calls with one event take a tenth of
	// it, and are served whatever the others do.
	freeBody = 8 << 10
	// sharedBodies is what the larger ones among them may take together beyond that. With freeBody for each connection it
	// makes 32 MiB, of a pod that has 256.
	sharedBodies = 16 << 20

	// maxPublicConns at once. Each costs about 15 KiB before its first request, so this is some 30 MiB at worst; the
	// oldest silent connection makes room for a new one.
	maxPublicConns = 2048
	// maxInnerConns for ops and admin each: probes, scrapers and the operator.
	maxInnerConns = 128
)

// What is left of the platforms' patience when a call of /webhook has come: all that is done before the answer fits in it.
const (
	// linePatience: LINE gives up after 2 s (Messaging API, webhook error statistics), with the way there and back.
	linePatience = 1800 * time.Millisecond
	// metaPatience: Meta gives up after 20 s (Messenger Platform, webhooks).
	metaPatience = 18 * time.Second
	// ownShare is what the bot's time-out always leaves to our own work.
	ownShare = 300 * time.Millisecond
)

// Time-outs of starting and stopping.
const (
	// DefaultReadyDrain is how long a stopping server goes on as usual after it said that it is not ready: endpoints
	// and proxies need about that long to hear of it.
	DefaultReadyDrain = 5 * time.Second
	// shutdownTimeout bounds the wait for requests in flight. With the drain it stays below the 30 s that the kubelet
	// gives a pod.
	shutdownTimeout = 20 * time.Second

	// storeOpenTimeout bounds one try to open and migrate the store; waiting for another server's migration takes up
	// to a minute of it.
	storeOpenTimeout = 2 * time.Minute
	// storeRetryMin and storeRetryMax bound the pause between tries.
	storeRetryMin = 500 * time.Millisecond
	storeRetryMax = 15 * time.Second
	// storePing is how often the store is asked whether it can serve.
	storePing = 5 * time.Second
	// storePatience is how long a call waits for a store that is not open yet, which is as long as any call may take.
	storePatience = 2 * time.Second
	// restDelay is how long after the store was opened the start counts as over.
	restDelay = 3 * time.Second
	// storeGrace is how long a replaced store serves the calls that began with it; each ends within two seconds.
	storeGrace = 5 * time.Second
)
