package webhookserver

import (
	"bytes"
	"context"
	"image"
	"image/color"
	_ "image/gif"  // what chat platforms deliver
	_ "image/jpeg" // what chat platforms deliver
	"image/png"
	"net/http"

	"channellink.dev/operator/webhookserver/outbound"
)

const (
	// pictureSize is the width and height of a picture on our pages, in pixels. At this size no picture, however noisy,
	// has more than 16 KiB, which is what a login keeps of one.
	pictureSize = 72
	// maxPicturePixels of the original: 4 MiB while it is decoded.
	maxPicturePixels = 1 << 20
	// picturesAtOnce bounds that memory.
	picturesAtOnce = 4
	// pictureSamples in each direction make one pixel of ours.
	pictureSamples = 4
)

// pictures fetches the pictures of chat users. They are encoded anew, so that nothing of the file that somebody else made
// reaches a browser from our address.
type pictures struct {
	do   func(*http.Request) (*outbound.Response, error)
	turn chan struct{}
}

func newPictures(do func(*http.Request) (*outbound.Response, error)) *pictures {
	return &pictures{do: do, turn: make(chan struct{}, picturesAtOnce)}
}

// fetch returns a small PNG, or nil if there is none to be had.
func (p *pictures) fetch(ctx context.Context, address string) []byte {
	if address == "" {
		return nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil
	}
	resp, err := p.do(req)
	if err != nil || resp.Status != http.StatusOK {
		return nil
	}
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
		return smallPicture(resp.Body)
	case <-ctx.Done():
		return nil
	}
}

// smallPicture decodes a PNG, JPEG or GIF and encodes its middle square as a small PNG; nil if it is none, or too large.
func smallPicture(raw []byte) []byte {
	size, _, err := image.DecodeConfig(bytes.NewReader(raw))
	if err != nil || size.Width <= 0 || size.Height <= 0 || size.Width > maxPicturePixels/size.Height {
		return nil
	}
	original, _, err := image.Decode(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	var out bytes.Buffer
	if err := png.Encode(&out, shrink(original)); err != nil {
		return nil
	}
	return out.Bytes()
}

// shrink takes the middle square and makes each pixel the mean of samples of what it covers.
func shrink(original image.Image) image.Image {
	bounds := original.Bounds()
	side := min(bounds.Dx(), bounds.Dy())
	left, top := bounds.Min.X+(bounds.Dx()-side)/2, bounds.Min.Y+(bounds.Dy()-side)/2
	const fine = pictureSize * pictureSamples
	small := image.NewRGBA(image.Rect(0, 0, pictureSize, pictureSize))
	for y := range pictureSize {
		for x := range pictureSize {
			var r, g, b uint32
			for i := range pictureSamples * pictureSamples {
				sx := (x*pictureSamples + i%pictureSamples) * side / fine
				sy := (y*pictureSamples + i/pictureSamples) * side / fine
				cr, cg, cb, ca := original.At(left+sx, top+sy).RGBA()
				white := 0xffff - ca // shines through, so that three bytes are enough for a pixel
				r, g, b = r+(cr+white)>>8, g+(cg+white)>>8, b+(cb+white)>>8
			}
			const n = pictureSamples * pictureSamples
			small.SetRGBA(x, y, color.RGBA{R: uint8(r / n), G: uint8(g / n), B: uint8(b / n), A: 0xff})
		}
	}
	return small
}
