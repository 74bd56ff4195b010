package chatsim

import (
	"hash/fnv"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/url"
	"strings"
)

// pictureURL is for the server, which fetches the picture itself.
func (s *Simulator) pictureURL(u *user) string {
	return s.config.APIURL + picturePath(u.ID)
}

func picturePath(userID string) string { return "/sim/pictures/" + url.PathEscape(userID) + ".png" }

// picture draws a face of the user's own: mirrored squares, by his id.
func picture(w http.ResponseWriter, r *http.Request) {
	const cells, cell, margin = 5, 16, 8
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.TrimSuffix(r.PathValue("picture"), ".png"))) // never fails
	bits := hash.Sum64()
	ink := color.RGBA{uint8(bits>>40)/2 + 32, uint8(bits>>48)/2 + 32, uint8(bits>>56)/2 + 32, 255} //nolint:gosec // a byte of each
	const side = cells*cell + 2*margin
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	draw.Draw(img, img.Bounds(), image.NewUniform(color.RGBA{235, 238, 242, 255}), image.Point{}, draw.Src)
	for y := range cells {
		for x := range cells {
			if bits>>(y*3+min(x, cells-1-x))&1 == 1 {
				at := image.Rect(0, 0, cell, cell).Add(image.Pt(margin+x*cell, margin+y*cell))
				draw.Draw(img, at, image.NewUniform(ink), image.Point{}, draw.Src)
			}
		}
	}
	w.Header().Set("Content-Type", "image/png")
	_ = png.Encode(w, img) // a browser that is gone has nobody left to tell
}
