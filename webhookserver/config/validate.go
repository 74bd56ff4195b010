package config

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/ext"
)

// ClaimsCostLimit bounds the work of one evaluation of a claims expression, in CEL's cost units: some hundred times what an
// ordinary rule needs, and still well under a millisecond.
const ClaimsCostLimit = 100_000

// ErrInvalidExpression marks an expression or a template that does not compile.
var ErrInvalidExpression = errors.New("invalid expression")

// ExpressionError says which expression does not compile, and where.
type ExpressionError struct {
	// Field below spec, for example `services[leave-balance].template`.
	Field string
	// Line and Column of the problem, counted from 1; zero when not known.
	Line, Column int
	// Problem in the compiler's words. It quotes nothing but the expression itself.
	Problem string
}

// Error names field, position and problem.
func (e *ExpressionError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: %s", e.Field, e.Problem)
	}
	return fmt.Sprintf("%s: line %d, column %d: %s", e.Field, e.Line, e.Column, e.Problem)
}

// Is reports that every ExpressionError is ErrInvalidExpression.
func (e *ExpressionError) Is(target error) bool { return target == ErrInvalidExpression }

// Validate compiles the expressions and templates and checks what the resource's schema cannot. The operator calls it
// before it rolls anything out, the server before it starts.
func (s *Settings) Validate() error {
	if (s.Store.SQLite == nil) == (s.Store.Postgres == nil) {
		return errors.New("settings: exactly one of store.sqlite and store.postgres must be set")
	}
	seen := make(map[string]bool, len(s.Channels))
	for i := range s.Channels {
		c := &s.Channels[i]
		if c.UID == "" || c.PublicURL == "" {
			return fmt.Errorf("settings: channel %d has no uid or no publicURL", i)
		}
		if seen[c.UID] {
			return fmt.Errorf("settings: two channels have the uid %s", c.UID)
		}
		seen[c.UID] = true
		if err := c.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// Validate compiles the channel's expressions and templates.
func (c *Channel) Validate() error {
	if c.OIDC.RequiredClaims != "" {
		if _, err := CompileClaims(c.OIDC.RequiredClaims); err != nil {
			return err
		}
	}
	for _, service := range c.Services {
		if service.Template == "" {
			continue
		}
		if _, err := CompileTemplate(service.Name, service.Template); err != nil {
			return err
		}
	}
	return nil
}

// CompileClaims compiles an expression over `claims`, the ID token's claims, that must give a bool. An evaluation that
// costs more than ClaimsCostLimit ends in an error.
func CompileClaims(expression string) (cel.Program, error) {
	env, err := cel.NewEnv(
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		ext.Strings(),
	)
	if err != nil {
		return nil, fmt.Errorf("preparing the CEL environment: %w", err)
	}
	const field = "oidc.requiredClaims"
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		first := issues.Errors()[0]
		return nil, &ExpressionError{Field: field, Line: first.Location.Line(), Column: first.Location.Column() + 1, Problem: first.Message}
	}
	if out := ast.OutputType(); !out.IsExactType(cel.BoolType) && !out.IsExactType(cel.DynType) {
		return nil, &ExpressionError{Field: field, Line: 1, Column: 1, Problem: fmt.Sprintf("gives %s, want a bool", out)}
	}
	program, err := env.Program(ast, cel.CostLimit(ClaimsCostLimit), cel.InterruptCheckFrequency(100))
	if err != nil {
		return nil, &ExpressionError{Field: field, Problem: err.Error()}
	}
	return program, nil
}
