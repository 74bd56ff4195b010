package main

import (
	"bytes"
	"cmp"
	"image"
	"image/color"
	"image/png"
	"maps"
	"slices"
)

// colours is how many a palette of PNG holds.
const colours = 256

// apart is how much a colour of the palette differs from each other one, in the sum of red, green and blue: so that what is
// common leaves room for what is rare, and a gradient has no steps that anybody sees.
const apart = 13

// smaller packs a PNG for documentation: with a palette of the colours that most of it has, which is a third of the size, and as
// tightly as the standard library can.
func smaller(data []byte) ([]byte, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	bounds := img.Bounds()
	counts := map[color.RGBA]int{}
	each(bounds, func(x, y int) { counts[rgba(img.At(x, y))]++ })
	common := slices.SortedFunc(maps.Keys(counts), func(a, b color.RGBA) int {
		return cmp.Or(counts[b]-counts[a], int(a.R)-int(b.R), int(a.G)-int(b.G), int(a.B)-int(b.B))
	})
	palette := make(color.Palette, 0, colours)
	for _, c := range common {
		near := func(other color.Color) bool { return distance(c, other.(color.RGBA)) < apart }
		if len(palette) < colours && !slices.ContainsFunc(palette, near) {
			palette = append(palette, c)
		}
	}
	nearest := map[color.RGBA]uint8{}
	for c := range counts {
		nearest[c] = uint8(palette.Index(c)) //nolint:gosec // a palette has no more than 256
	}
	small := image.NewPaletted(bounds, palette)
	each(bounds, func(x, y int) { small.SetColorIndex(x, y, nearest[rgba(img.At(x, y))]) })
	var out bytes.Buffer
	err = (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, small)
	return out.Bytes(), err
}

func rgba(c color.Color) color.RGBA { return color.RGBAModel.Convert(c).(color.RGBA) }

func distance(a, b color.RGBA) int {
	between := func(x, y uint8) int { return int(max(x, y)) - int(min(x, y)) }
	return between(a.R, b.R) + between(a.G, b.G) + between(a.B, b.B)
}

func each(bounds image.Rectangle, do func(x, y int)) {
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			do(x, y)
		}
	}
}
