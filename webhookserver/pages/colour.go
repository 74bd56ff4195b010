package pages

import (
	"math"
	"regexp"
	"strconv"
)

const defaultAccent = "#0b57d0"

var colour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// colours gives the accent, or the default for what is none, and the colour of text on it: black or white, whichever has
// the greater contrast. One of the two always has at least 4.5:1, WCAG's level AA.
func colours(accent string) (background, text string) {
	if !colour.MatchString(accent) {
		accent = defaultAccent
	}
	l := luminance(accent)
	if contrast(l, 1) >= contrast(l, 0) {
		return accent, "#ffffff"
	}
	return accent, "#000000"
}

// luminance is WCAG's relative luminance of a colour, from 0 to 1.
func luminance(hex string) float64 {
	channel := func(at int) float64 {
		n, _ := strconv.ParseUint(hex[at:at+2], 16, 8)
		c := float64(n) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*channel(1) + 0.7152*channel(3) + 0.0722*channel(5)
}

// contrast is WCAG's contrast ratio of two luminances, from 1 to 21.
func contrast(a, b float64) float64 {
	return (math.Max(a, b) + 0.05) / (math.Min(a, b) + 0.05)
}
