package config

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"text/template"
	"text/template/parse"
)

// Bounds of one execution of a template, however it is written and whatever it is given.
const (
	// templateSteps are the turns of all its loops together; 320 characters need far fewer.
	templateSteps = 10_000
	// templateOutput in bytes: twice what 320 characters can take. What would follow is cut off anyway.
	templateOutput = 4 << 10
	// templateString in bytes: longer strings of the backend's are cut before a template sees them.
	templateString = 4 << 10
)

// Template is the text of a service, compiled. It is safe for concurrent use.
//
// Its language is that of text/template without what a chat message does not need or what could not be bounded: no
// templates inside it, of the functions only and, or, not, eq, ne, lt, le, gt, ge, index, slice, len, print and printf. A
// member that the backend's JSON lacks, or that is null, is an error and never the text `<no value>` in somebody's chat.
type Template struct {
	service string
	tree    *parse.Tree
}

// TemplateError says where a template failed over an answer. It holds no text of the answer.
type TemplateError struct {
	Service string
	// Line and Column in the template, counted from 1; zero when the answer was at fault as a whole.
	Line, Column int
}

// Error names the service and the position.
func (e *TemplateError) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("services[%s].template: the answer is not one JSON value", e.Service)
	}
	return fmt.Sprintf("services[%s].template: line %d, column %d: cannot be rendered over this answer", e.Service, e.Line, e.Column)
}

// CompileTemplate parses the template of the named service. Its error is an [ExpressionError].
func CompileTemplate(service, text string) (*Template, error) {
	parsed, err := template.New(service).Funcs(placeholders).Parse(text)
	if err != nil {
		line, column, problem := templateProblem(service, err)
		return nil, &ExpressionError{Field: templateField(service), Line: line, Column: column, Problem: problem}
	}
	c := confiner{text: text}
	for _, t := range parsed.Templates() {
		if t.Name() != service {
			c.refuse(t.Root.Position(), "templates cannot be defined here")
		}
	}
	if parsed.Tree != nil && parsed.Root != nil {
		c.list(parsed.Root)
	}
	if c.problem != nil {
		c.problem.Field = templateField(service)
		return nil, c.problem
	}
	return &Template{service: service, tree: parsed.Tree}, nil
}

func templateField(service string) string { return fmt.Sprintf("services[%s].template", service) }

// Execute renders the template over a JSON document, within its bounds and until ctx is done. The error is a
// [TemplateError], or ctx's.
func (t *Template) Execute(ctx context.Context, document []byte) (string, error) {
	data, err := templateData(document)
	if err != nil {
		return "", &TemplateError{Service: t.service}
	}
	run := &templateRun{ctx: ctx}
	funcs := maps.Clone(functions)
	funcs[stepFunction] = run.step
	runnable, err := template.New(t.service).Option("missingkey=error").Funcs(funcs).AddParseTree(t.service, t.tree)
	if err == nil {
		err = runnable.Execute(run, data)
	}
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err != nil && !errors.Is(err, errOutputFull):
		line, column, _ := templateProblem(t.service, err)
		return "", &TemplateError{Service: t.service, Line: max(line, 1), Column: column}
	}
	return strings.TrimSpace(strings.ToValidUTF8(run.output.String(), "")), nil
}

// templateProblem takes an error of text/template apart, which has no type for it: its text is
// `template: NAME:LINE:COLUMN: PROBLEM`, with columns counted from 0, and without the column from the parser.
func templateProblem(service string, err error) (line, column int, problem string) {
	rest, ok := strings.CutPrefix(err.Error(), "template: "+service+":")
	if n, _ := fmt.Sscanf(rest, "%d:%d:", &line, &column); !ok || n == 0 {
		return 0, 0, err.Error()
	}
	_, problem, _ = strings.Cut(rest, ": ")
	return line, column + 1, problem
}

// errOutputFull ends an execution that has written all that can be shown.
var errOutputFull = errors.New("output is full")

// templateRun is one execution.
type templateRun struct {
	ctx    context.Context //nolint:containedctx // the run is a call: text/template passes none on
	steps  int
	output strings.Builder
}

// Write implements io.Writer.
func (r *templateRun) Write(p []byte) (int, error) {
	room := templateOutput - r.output.Len()
	if len(p) > room {
		_, _ = r.output.Write(p[:room])
		return room, errOutputFull
	}
	return r.output.Write(p)
}

// step is called at each turn of each loop.
func (r *templateRun) step() (string, error) {
	if r.steps++; r.steps > templateSteps {
		return "", errors.New("too many turns")
	}
	return "", r.ctx.Err()
}
