package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// api is as much of a Kubernetes client as the agent needs. client-go would be
// half a minute of compiling before the first line on the terminal.
type api struct {
	base   string
	client *http.Client
}

// watch hands every object of a collection to see, first as it is and then at
// each change, until the server ends the watch. It asks for no resource version:
// then the API server begins with all objects that exist.
func watch[T any](ctx context.Context, a *api, path string, see func(context.Context, T)) error {
	response, err := a.do(ctx, http.MethodGet, path+"?watch=true", nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	stream := json.NewDecoder(response.Body)
	for {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := stream.Decode(&event); err != nil {
			return err
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			var object T
			if err := json.Unmarshal(event.Object, &object); err != nil {
				return err
			}
			see(ctx, object)
		case "DELETED", "BOOKMARK":
		default:
			return fmt.Errorf("watch %s: %s: %s", path, event.Type, event.Object)
		}
	}
}

// create posts an object; one of that name that is there already is success.
func (a *api) create(ctx context.Context, path string, object any) error {
	raw, err := json.Marshal(object)
	if err != nil {
		return err
	}
	return a.send(ctx, http.MethodPost, path, raw, http.StatusConflict)
}

// remove deletes an object; one that has gone already is success.
func (a *api) remove(ctx context.Context, path string) error {
	return a.send(ctx, http.MethodDelete, path, nil, http.StatusNotFound)
}

func (a *api) send(ctx context.Context, method, path string, body []byte, tolerated int) error {
	response, err := a.do(ctx, method, path, body, tolerated)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// do sends a request and returns an answer that is a success or tolerated.
func (a *api) do(ctx context.Context, method, path string, body []byte, tolerated ...int) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode/100 == 2 || slices.Contains(tolerated, response.StatusCode) {
		return response, nil
	}
	const enough = 4 << 10
	text, _ := io.ReadAll(io.LimitReader(response.Body, enough))
	_ = response.Body.Close()
	return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
}
