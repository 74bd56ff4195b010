package testenv

// Option changes how Start sets up the API server.
type Option func(*settings)

type settings struct {
	audit bool
	crds  []string
	flags []flag
}

type flag struct {
	name   string
	values []string
}

// WithAudit makes the API server record every request; read the record with Environment.Record.
func WithAudit() Option {
	return func(s *settings) { s.audit = true }
}

// WithCRDs installs the CustomResourceDefinitions of these files or folders beside the project's own, for the life of
// the Environment. Environment.InstallCRDs does it for a single test.
func WithCRDs(paths ...string) Option {
	return func(s *settings) { s.crds = append(s.crds, paths...) }
}

// WithAPIServerFlag adds a flag of kube-apiserver, named without its dashes.
func WithAPIServerFlag(name string, values ...string) Option {
	return func(s *settings) { s.flags = append(s.flags, flag{name, values}) }
}
