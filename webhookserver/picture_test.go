package webhookserver

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"testing"

	"channellink.dev/operator/webhookserver/outbound"
)

// noise is the picture that compresses worst.
func noise(width, height int) image.Image {
	random := rand.New(rand.NewPCG(1, 2))
	m := image.NewNRGBA(image.Rect(3, 5, 3+width, 5+height))
	for i := range m.Pix {
		m.Pix[i] = byte(random.Uint32())
	}
	return m
}

func encoded(t testing.TB, encode func(io.Writer, image.Image) error, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(w io.Writer, m image.Image) error { return jpeg.Encode(w, m, nil) }
func asGIF(w io.Writer, m image.Image) error  { return gif.Encode(w, m, nil) }

func TestSmallPicture(t *testing.T) {
	for reason, raw := range map[string][]byte{
		"PNG": encoded(t, png.Encode, noise(640, 480)), "JPEG": encoded(t, asJPEG, noise(480, 640)), "GIF": encoded(t, asGIF, noise(200, 200)),
		"smaller than ours": encoded(t, png.Encode, noise(1, 1)), "a line": encoded(t, png.Encode, noise(1000, 1)), "as large as may be": encoded(t, png.Encode, noise(1024, 1024)),
	} {
		small := smallPicture(raw)
		m, err := png.Decode(bytes.NewReader(small))
		if err != nil || m.Bounds() != image.Rect(0, 0, pictureSize, pictureSize) {
			t.Errorf("%s: %v", reason, err)
			continue
		}
		if len(small) > 16<<10 {
			t.Errorf("%s: %d bytes, more than a login keeps", reason, len(small))
		}
	}
	for reason, raw := range map[string][]byte{
		"nothing": nil, "a page": []byte("<svg onload=alert(1)>"), "half a picture": encoded(t, png.Encode, noise(64, 64))[:200],
		"too many pixels":                  encoded(t, png.Encode, image.NewGray(image.Rect(0, 0, 1025, 1024))),
		"pixels announced, and none there": append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\x06\x00\x00\x00"), 0, 0, 0, 0),
	} {
		if small := smallPicture(raw); small != nil {
			t.Errorf("%s: a picture of %d bytes", reason, len(small))
		}
	}
}

func TestShrinkKeepsColoursAndMiddle(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 300, 100))
	for x := range 300 {
		for y := range 100 {
			m.Set(x, y, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
			if x < 100 || x >= 200 {
				m.Set(x, y, color.NRGBA{}) // outside the middle
			}
		}
	}
	small := shrink(m)
	for _, at := range []image.Point{{0, 0}, {pictureSize - 1, pictureSize - 1}, {pictureSize / 2, pictureSize / 2}} {
		if got := small.At(at.X, at.Y); got != (color.RGBA{200, 100, 50, 255}) {
			t.Errorf("%v is %v", at, got)
		}
	}
	if got := shrink(image.NewNRGBA(image.Rect(0, 0, 9, 9))).At(1, 1); got != (color.RGBA{255, 255, 255, 255}) {
		t.Errorf("what is transparent became %v, want white", got)
	}
}

func FuzzSmallPicture(f *testing.F) {
	f.Add(encoded(f, png.Encode, noise(4, 4)))
	f.Add(encoded(f, asJPEG, noise(4, 4)))
	f.Add(encoded(f, asGIF, noise(4, 4)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if small := smallPicture(raw); small != nil && !bytes.HasPrefix(small, []byte("\x89PNG")) {
			t.Fatal("not encoded anew")
		}
	})
}

func TestPicturesFetch(t *testing.T) {
	original := encoded(t, png.Encode, noise(100, 100))
	status := http.StatusOK
	p := newPictures(func(*http.Request) (*outbound.Response, error) {
		return &outbound.Response{Status: status, Body: original}, nil
	})
	if got := p.fetch(t.Context(), "https://profile.example/p"); len(got) == 0 || bytes.Equal(got, original) {
		t.Errorf("%d bytes", len(got))
	}
	if p.fetch(t.Context(), "") != nil || p.fetch(t.Context(), "https://%") != nil {
		t.Error("a picture without an address")
	}
	status = http.StatusNotFound
	if p.fetch(t.Context(), "https://profile.example/p") != nil {
		t.Error("a picture out of an error")
	}
}
