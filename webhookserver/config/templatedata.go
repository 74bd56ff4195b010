package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
)

// Number is a number of the backend's JSON as a template sees it. It prints as people write numbers: 1000000 and 2.5,
// never 1e+06.
type Number float64

// largestExact is the largest integer up to which a float64 has them all.
const largestExact = 1 << 53

// Format implements fmt.Formatter: %d of a whole number prints digits, %.1f rounds.
func (n Number) Format(s fmt.State, verb rune) {
	plain := strconv.FormatFloat(float64(n), 'f', -1, 64)
	switch verb {
	case 'v', 's':
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, 's'), plain)
	case 'd':
		if math.Abs(float64(n)) > largestExact || float64(n) != math.Trunc(float64(n)) {
			_, _ = io.WriteString(s, plain)
			return
		}
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, 'd'), int64(n))
	default:
		_, _ = fmt.Fprintf(s, fmt.FormatString(s, verb), float64(n))
	}
}

var errNotOneValue = errors.New("not one JSON value")

// templateData reads a document into what templates are executed over.
func templateData(document []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || value == nil {
		return nil, errNotOneValue
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotOneValue
	}
	return templateValue(value), nil
}

// templateValue turns numbers into [Number], leaves out members that are null, and cuts what is longer than anybody reads.
// A whole number that a float64 has not is an identifier rather than a quantity, and stays as it was written.
func templateValue(value any) any {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if member == nil {
				delete(v, name)
				continue
			}
			v[name] = templateValue(member)
		}
	case []any:
		for i, item := range v {
			if v[i] = templateValue(item); item == nil {
				v[i] = "" // or the ones behind it would move
			}
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.Abs(f) >= largestExact {
			return v.String()
		}
		return Number(f)
	case string:
		return v[:min(len(v), templateString)]
	}
	return value
}
