package webhookserver

import (
	"bytes"

	"channellink.dev/operator/webhookserver/adminapi"
	"channellink.dev/operator/webhookserver/authorize"
	"channellink.dev/operator/webhookserver/config"
	"channellink.dev/operator/webhookserver/secretfile"
)

// reference is one mounted key that a channel refers to, followed while the process runs.
type reference struct {
	field string
	file  *secretfile.File
	// optional: the channel serves without it.
	optional bool
	// valid judges a value beyond being there; nil means that any value is good.
	valid func(secretfile.Snapshot) bool
}

// state is what the admin API says of the reference.
func (r reference) state() adminapi.ReferenceState {
	now := r.file.Load()
	switch {
	case now.State() == secretfile.Unreadable:
		return adminapi.ReferenceInvalid
	case now.State() == secretfile.Missing:
		return adminapi.ReferenceMissing
	case now.State() == secretfile.Empty:
		return adminapi.ReferenceEmpty
	case r.valid != nil && !r.valid(now):
		return adminapi.ReferenceInvalid
	case now.State() == secretfile.Vanished:
		return adminapi.ReferenceVanished
	}
	return adminapi.ReferencePresent
}

// load returns the value to work with, be it one that has vanished from the file since, and whether it is good: the very one
// that was judged, whatever is in the file by then.
func (r reference) load() (secretfile.Snapshot, bool) {
	now := r.file.Load()
	return now, now.Usable() && (r.valid == nil || r.valid(now))
}

func (r reference) usable() bool {
	_, ok := r.load()
	return ok
}

// storeReferences are the keys that the store needs.
func storeReferences(s config.Store, files *secretfile.Watcher) []reference {
	list := referenceList{files: files}
	if s.Postgres != nil {
		list.add(&s.Postgres.DSN)
	}
	list.add(s.EncryptionKeys)
	return list.references
}

// channelReferences are the keys that a channel needs, in the order of the settings.
func channelReferences(c *config.Channel, files *secretfile.Watcher) []reference {
	list := referenceList{files: files}
	if c.Branding.Logo != nil {
		list.add(c.Branding.Logo).optional = true // pages go without
	}
	if b := c.BotBonnie; b != nil {
		list.add(&b.APIToken)
		list.add(b.APISecret)
		list.add(b.URLKey)
	}
	if m := c.Messenger; m != nil {
		list.add(m.AppSecret)
		list.add(m.VerifyToken)
		list.add(m.PageAccessToken)
	}
	if l := c.LINE; l != nil {
		list.add(l.ChannelSecret)
		list.add(l.ChannelAccessToken)
	}
	if c.OIDC.ClientSecret != nil {
		list.add(c.OIDC.ClientSecret).valid = boundTo(c.OIDC, files)
	}
	if c.OIDC.PrivateKey != nil {
		list.add(c.OIDC.PrivateKey).valid = holdsKey
	}
	if c.OIDC.CABundle != nil {
		list.add(c.OIDC.CABundle).valid = holdsCertificates
	}
	list.add(c.Linking.CodeKey)
	list.add(c.API.Token)
	list.add(c.API.IntrospectionToken)
	return list.references
}

type referenceList struct {
	files      *secretfile.Watcher
	references []reference
}

// add follows the file, if there is one, and returns its place in the list.
func (l *referenceList) add(f *config.File) *reference {
	if f == nil {
		return &reference{}
	}
	l.references = append(l.references, reference{field: f.Field, file: l.files.File(f.Path)})
	return &l.references[len(l.references)-1]
}

// boundTo reports a client secret as good unless its Secret says, in the key `issuer`, that it belongs to another issuer:
// whoever may change issuerURL must not get the secret sent to a host of his own. The last such word counts even after the
// key is gone, because deleting it takes less than reading the secret does.
func boundTo(o config.OIDC, files *secretfile.Watcher) func(secretfile.Snapshot) bool {
	if o.ClientSecretIssuer == nil {
		return nil
	}
	issuer := files.File(o.ClientSecretIssuer.Path)
	return func(secretfile.Snapshot) bool {
		said := issuer.Load()
		return !said.Usable() && said.State() != secretfile.Unreadable ||
			string(bytes.TrimSpace(said.Raw())) == o.IssuerURL
	}
}

// holdsKey reports whether logins can sign with the private key.
func holdsKey(s secretfile.Snapshot) bool { return authorize.UsableKey(s.Raw()) }
