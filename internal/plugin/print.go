package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/spf13/pflag"
)

// output is the value of -o.
type output string

// outputFlag registers -o.
func outputFlag(flags *pflag.FlagSet) *output {
	var o output
	flags.VarP(&o, "output", "o", "json for programs; text if it is not given")
	return &o
}

// Set implements [pflag.Value].
func (o *output) Set(text string) error {
	if text != "json" {
		return errors.New("only json is known")
	}
	*o = output(text)
	return nil
}

// String implements [pflag.Value].
func (o *output) String() string { return string(*o) }

// Type implements [pflag.Value].
func (*output) Type() string { return "json" }

func (o *output) json() bool { return *o == "json" }

// printJSON writes a value as people read it too.
func printJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table writes rows of cells in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = plain(cell)
		}
		fmt.Fprintln(t, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
	}
	return t.Flush()
}

// plain is a text on one line, without what a terminal obeys or what turns the writing direction: many texts are what somebody
// else has written, who may have less to say in the cluster than the one who reads it.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, text)
}

// textWidth is how wide running text is printed, in characters.
const textWidth = 92

// wrapped breaks a text at its spaces. The first line begins with the bullet, the others are below its text. A word that is
// longer than a line, such as a URL, stays whole.
func wrapped(text, bullet string) string {
	var out strings.Builder
	length := 0
	for word := range strings.FieldsSeq(plain(text)) {
		switch {
		case out.Len() == 0:
			out.WriteString(bullet)
			length = len(bullet)
		case length+1+len([]rune(word)) > textWidth:
			out.WriteString("\n" + strings.Repeat(" ", len(bullet)))
			length = len(bullet)
		default:
			out.WriteByte(' ')
			length++
		}
		out.WriteString(word)
		length += len([]rune(word))
	}
	return out.String()
}
