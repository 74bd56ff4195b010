// Command probe is what the cluster's own tests run inside pods: there is no
// image with a shell and curl to pull.
//
//	probe serve PORT        answer HTTP with the pod's name
//	probe get URL           print the answer; the API server's with the pod's own token
//	probe write FILE TEXT   write a file and print it back with its owner
package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "serve":
		return serve(args[1])
	case len(args) == 2 && args[0] == "get":
		return get(args[1])
	case len(args) == 3 && args[0] == "write":
		return write(args[1], args[2])
	}
	return errors.New("usage: probe serve PORT | get URL | write FILE TEXT")
}

func serve(port string) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              ":" + port,
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			fmt.Fprintf(w, "%s %s\n", name, r.URL.Path) //nolint:gosec // plain text, for tests alone
		}),
	}
	fmt.Println("serving on", port)
	return server.ListenAndServe()
}

const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/"

func get(url string) error {
	client := &http.Client{Timeout: 10 * time.Second}
	request, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	if strings.HasPrefix(request.URL.Hostname(), "kubernetes.default") {
		token, err := os.ReadFile(serviceAccount + "token")
		if err != nil {
			return err
		}
		ca, err := os.ReadFile(serviceAccount + "ca.crt")
		if err != nil {
			return err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		request.Header.Set("Authorization", "Bearer "+string(token))
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	const enough = 4 << 10
	body, err := io.ReadAll(io.LimitReader(response.Body, enough))
	fmt.Printf("%d %s\n", response.StatusCode, body)
	return err
}

func write(file, text string) error {
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		return err
	}
	back, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("no owner in the file's status")
	}
	fmt.Printf("%s owner %d:%d mode %o\n", back, owner.Uid, owner.Gid, info.Mode().Perm())
	return nil
}
