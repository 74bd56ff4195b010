package main

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A picture for documentation has the colours that the picture had, or others that are next to them, out of a palette.
func TestSmaller(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 256, 64))
	for x := range 256 {
		for y := range 64 {
			img.SetRGBA(x, y, color.RGBA{uint8(x), uint8(y), 200, 255})
		}
	}
	var whole bytes.Buffer
	if err := png.Encode(&whole, img); err != nil {
		t.Fatal(err)
	}
	data, err := smaller(whole.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := got.(*image.Paletted); !ok {
		t.Errorf("the picture is a %T", got)
	}
	each(img.Bounds(), func(x, y int) {
		if d := distance(rgba(got.At(x, y)), img.RGBAAt(x, y)); d >= 2*apart {
			t.Fatalf("at %d, %d the colour is %d from what it was", x, y, d)
		}
	})
}

// The page gets the dashboard, the time to show, and the answers of Prometheus.
func TestHandler(t *testing.T) {
	prometheus := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.Method+" "+r.URL.Path+" "+r.FormValue("query"))
	}))
	defer prometheus.Close()
	o, err := parse([]string{"-prometheus", prometheus.URL, "-dashboard", "../../../config/monitoring/channellink.json", "-range", "1m", "-variable", "namespace=vision"})
	if err != nil {
		t.Fatal(err)
	}
	handler, err := o.handler(time.UnixMilli(1_800_000_000_000))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/", "", `<script src="draw.js">`},
		{"GET", "/settings.json", "", `{"from":1799999940000,"to":1800000000000,"variables":{"namespace":"vision"}}`},
		{"GET", "/dashboard.json", "", `"uid": "channellink"`},
		{"POST", "/api/v1/query", "query=up", "POST /api/v1/query up"},
	} {
		request := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, request)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), c.want) {
			t.Errorf("%s %s: %d %.200s, want %s", c.method, c.path, answer.Code, answer.Body, c.want)
		}
	}
}
