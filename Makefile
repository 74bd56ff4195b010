# ChannelLink: how it is built, tested and shown. `make help` lists the targets.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules --no-print-directory
.DEFAULT_GOAL := help

# CLUSTER is the Kubernetes for `up` and the cluster tests: own (built and started
# by hack/cluster, needs root), kind, or current (the kubeconfig that is there).
CLUSTER ?= own
# CLUSTER_PORT is the loopback port of its ingress.
CLUSTER_PORT ?= 8080
# VERSION is the tag of the images; the binaries in them report it.
VERSION ?= dev
# ARCHS are the architectures of the images; empty means this machine's.
ARCHS ?=
# FUZZTIME is how long `fuzz` looks for a bad input of each target, and DURATION how
# long `soak` and `soak-cluster` go on.
FUZZTIME ?= 1m
DURATION ?= 30m
# RANGE is how much of the past the picture of the dashboard shows, and PROMETHEUS_PORT
# the loopback port of `prometheus`.
RANGE ?= 30m
PROMETHEUS_PORT ?= 9090
# VULNDB is the database that `vulncheck` looks things up in: the public one, or a
# copy of it as file:///….
VULNDB ?= https://vuln.go.dev
# TESTFLAGS go to every `go test`, for example TESTFLAGS='-run Conflict -v'.
TESTFLAGS ?=

export CLUSTER CLUSTER_PORT PROMETHEUS_PORT
export KUBEBUILDER_ASSETS ?= $(CURDIR)/.cluster/bin

# What writes, installs and judges manifests.
MANIFEST_TOOLS := bin/helm bin/kustomize bin/kubeconform bin/kube-score bin/crdify

# Folders with code of ours, each a module; and all modules, also those that only
# pin a tool.
CODE    := . hack/cluster hack/image hack/lint hack/monitoring
MODULES := $(patsubst %/go.mod,%,$(patsubst go.mod,./go.mod,$(shell git ls-files '*go.mod')))
# What `generate` writes.
GENERATED := api/v1alpha1/zz_generated.deepcopy.go api/v1alpha1/applyconfiguration config/crd config/rbac/role.yaml \
             charts/channellink/files dist/install.yaml

# vet is part of lint.
GOTEST  := go test -race -vet=off -timeout 20m $(TESTFLAGS)
# Folders whose tests carry a build tag: $(call tagged,apiserver).
tagged   = $(sort $(addprefix ./,$(dir $(shell git grep -lE --untracked '^//go:build .*\b$(1)\b' -- '*_test.go' ':!hack'))))
test-hack = for module in hack/cluster hack/image hack/monitoring; do (cd $$module && go test $(TESTFLAGS) ./...); done
say      = printf '\n== %s\n' $(1)
cluster := go -C hack/cluster run .
comma   := ,
empty   :=
platforms = $(if $(ARCHS),--platforms=$(subst $(empty) ,$(comma),$(ARCHS:%=linux/%)))

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' Makefile
	@printf '\nVariables: CLUSTER=own|kind|current CLUSTER_PORT=8080 VERSION=dev ARCHS="amd64 arm64" TESTFLAGS=...\n'

##@ Try it

.PHONY: up
up: ## a Kubernetes with the operator, an identity provider and a ChannelLink in it
	@hack/demo/up

.PHONY: down
down: ## take all of it away again
	@hack/demo/down

.PHONY: deploy
deploy: cluster-up ## the operator of this tree in the cluster, without the demo
	@hack/demo/deploy

.PHONY: cluster-up cluster-down cluster-status
cluster-up: ## an empty Kubernetes (the first time it is compiled: about a quarter of an hour)
	@$(cluster) up
cluster-down: ## stop it; what was compiled stays
	@$(cluster) down
cluster-status: ## what runs, and where
	@$(cluster) status

.PHONY: prometheus dashboard
prometheus: bin/prometheus ## a Prometheus that scrapes what runs there, with the alerts, until Ctrl-C
	@hack/monitoring/prometheus
dashboard: bin/dashboard/draw.js deps ## a picture of the Grafana dashboard with the last RANGE of that: dist/test/dashboard.png (npm)
	@$(call say,'config/monitoring/channellink.json by the schema of Grafana')
	@cat hack/monitoring/dashboard/schema.ts config/monitoring/channellink.json >bin/dashboard/check.ts
	@bin/dashboard/node_modules/.bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module esnext --moduleResolution bundler bin/dashboard/check.ts
	@$(call say,'drawing it')
	@mkdir -p dist/test
	@go -C hack/monitoring run ./dashboard -prometheus http://127.0.0.1:$(PROMETHEUS_PORT) -range $(RANGE) -out $(CURDIR)/dist/test/dashboard.png

##@ Build

.PHONY: build
build: ## compile everything
	go build ./...

.PHONY: plugin
plugin: ## kubectl channellink, as bin/kubectl-channellink
	@CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/kubectl-channellink ./cmd/kubectl-channellink

.PHONY: image image-all
image: ## OCI tarballs of operator and server in dist/images, each with its bill of materials (CycloneDX)
	@go -C hack/image run . --tag=$(VERSION) $(platforms) project
image-all: ARCHS := amd64 arm64
image-all: image ## the same for linux/amd64 and linux/arm64

.PHONY: reproducible vulncheck
reproducible: ## build the images twice, and compare them byte for byte
	@rm -rf dist/test/reproducible
	@for copy in first second; do \
	  $(call say,"the $$copy time"); \
	  GOCACHE=$(CURDIR)/dist/test/reproducible/cache-$$copy go -C hack/image run . --tag=$(VERSION) --out=$(CURDIR)/dist/test/reproducible/$$copy $(platforms) project; \
	done
	@diff -r dist/test/reproducible/first dist/test/reproducible/second && rm -rf dist/test/reproducible && echo 'They are the same.'
vulncheck: bin/govulncheck ## look up what operator and server are made of, as they are built, in VULNDB
	@mkdir -p dist/bin/vulncheck
	@CGO_ENABLED=0 go build -trimpath -o dist/bin/vulncheck ./cmd/manager ./cmd/webhookserver
	@found=; for program in dist/bin/vulncheck/*; do \
	  $(call say,"govulncheck $$program ($$(go version $$program | awk '{ print $$2 }'))"); \
	  bin/govulncheck -db $(VULNDB) -mode binary $$program || found=1; done; [ -z "$$found" ]

.PHONY: generate
generate: bin/controller-gen ## CRDs, RBAC, deep copies and apply configurations from the Go types
	@$(call say,'generating from api/v1alpha1 and controllers')
	@bin/controller-gen object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt \
	  crd output:crd:dir=config/crd paths=./api/v1alpha1
	@if compgen -G 'controllers/*.go' >/dev/null; then \
	  bin/controller-gen rbac:roleName=channellink-operator output:rbac:dir=config/rbac paths=./controllers; fi
	@$(MAKE) manifests

.PHONY: manifests install.yaml chart
manifests: install.yaml ## dist/install.yaml, and what the Helm chart shares with config
	@rm -rf charts/channellink/files
	@mkdir -p charts/channellink/files/{crd,rbac,admission,monitoring}
	@cp config/crd/channellink.dev_*.yaml charts/channellink/files/crd
	@cp config/rbac/{role,users}.yaml charts/channellink/files/rbac
	@cp config/admission/secretaccess.yaml charts/channellink/files/admission
	@cp config/monitoring/{servers,operator,rules}.yaml config/monitoring/channellink.json charts/channellink/files/monitoring
install.yaml: bin/kustomize ## config/default as one file, dist/install.yaml
	@mkdir -p dist
	@bin/kustomize build config/default >dist/install.yaml
chart: manifests bin/helm ## the Helm chart as a package in dist
	@bin/helm package charts/channellink --destination dist

##@ Test

.PHONY: test
test: lint verify test-local test-minute test-browser test-cluster ## everything: these targets, in this order

.PHONY: lint
lint: bin/golangci-lint ## golangci-lint in every module, and a proof that each import rule bites
	@for module in $(CODE); do \
	  $(call say,"golangci-lint in $$module"); \
	  (cd $$module && $(CURDIR)/bin/golangci-lint run --allow-parallel-runners --config $(CURDIR)/.golangci.yml ./...); \
	done
	@$(call say,'each import rule refuses what it should')
	@cd hack/lint && go test -count=1 ./...

.PHONY: verify
verify: generate ## what is generated and formatted is committed that way, go.mod files are tidy
	@$(call say,'generated files are as committed')
	@git diff --exit-code -- $(GENERATED)
	@new=$$(git ls-files --others --exclude-standard -- $(GENERATED)); [ -z "$$new" ] || { echo "not committed: $$new"; exit 1; }
	@$(call say,'gofmt')
	@differs=$$(git ls-files -z '*.go' | xargs -0 gofmt -l); [ -z "$$differs" ] || { echo "gofmt differs: $$differs"; exit 1; }
	@for module in $(MODULES); do $(call say,"go mod tidy in $$module"); go -C $$module mod tidy -diff; done

# All that needs neither a browser nor a cluster in one go, so that nothing is built or run twice for its tags.
.PHONY: test-local
test-local: deps assets $(MANIFEST_TOOLS) bin/prometheus-operator ## unit tests, and those against a real API server and at a real OpenID provider
	@$(cluster) build
	@$(call say,'unit tests and those against kube-apiserver and etcd and at dex; the first build with the race detector takes some minutes')
	@$(GOTEST) -tags apiserver$(comma)oidc ./...
	@$(test-hack)

.PHONY: test-unit
test-unit: ## unit tests with the race detector
	@$(call say,'unit tests; the first build with the race detector takes some minutes')
	@$(GOTEST) ./...
	@$(test-hack)

.PHONY: test-api test-oidc
test-api: assets $(MANIFEST_TOOLS) bin/prometheus-operator ## tests against a real API server (build tag apiserver)
	@$(call say,'tests against kube-apiserver and etcd')
	@$(GOTEST) -tags apiserver $(call tagged,apiserver)

test-oidc: deps ## logins at a real OpenID provider, without a browser (build tag oidc)
	@$(cluster) build
	@$(call say,'logins at dex')
	@$(GOTEST) -tags oidc $(call tagged,oidc)

.PHONY: test-browser screenshots
test-browser: deps ## logins in Chromium, at a real OpenID provider (build tag browser)
	@$(cluster) build
	@$(call say,'logins in Chromium on SQLite and on PostgreSQL')
	@$(GOTEST) -tags browser $(call tagged,browser)
screenshots: deps ## pictures of every page in dist/test/screenshots
	@go test -count=1 -tags browser ./test/browser -run Screenshots

# Removing the operator is tried first, while nobody else has ChannelLinks, and what
# the whole run has told is searched last; with -run in TESTFLAGS all is one. Tests in
# parallel mostly wait: there are more of them at once than cores.
ONCLUSTER     = KUBECONFIG=$(CURDIR)/.cluster/kubeconfig KUBECTL=$(CURDIR)/.cluster/bin/kubectl
CLUSTERTEST   = $(ONCLUSTER) $(GOTEST) -count=1 -parallel 4 -tags cluster
INSTALLATION := '^TestInstallation$$'
LEAKS        := '^TestTheRunHasToldNothing$$'

.PHONY: test-cluster
test-cluster: deps deploy bin/helm ## tests on the real cluster, one of them in Chromium (build tag cluster)
	@if [ "$(CLUSTER)" = own ]; then \
	  $(call say,'what tests and demo take for granted of a cluster'); \
	  (cd hack/cluster && go test -count=1 -tags cluster -run Live $(TESTFLAGS) .); fi
	@hack/demo/dex
	@$(if $(findstring -run,$(TESTFLAGS)),,$(call say,'installing and removing on the cluster'); $(CLUSTERTEST) -run $(INSTALLATION) ./test/cluster)
	@hack/demo/chatsim
	@hack/demo/company
	@$(call say,'tests on the cluster')
	@$(CLUSTERTEST) $(if $(findstring -run,$(TESTFLAGS)),,-skip $(INSTALLATION)'|'$(LEAKS)) $(call tagged,cluster)
	@$(if $(findstring -run,$(TESTFLAGS)),,$(call say,'what all of that has told'); $(CLUSTERTEST) -run $(LEAKS) ./test/cluster)

.PHONY: test-upgrade
test-upgrade: deploy ## the last release's images, this tree's, and back, under load on the real cluster (build tags cluster and upgrade)
	@hack/demo/last-release
	@hack/demo/dex
	@hack/demo/chatsim
	@$(call say,'up from the last release and back and up again')
	@$(ONCLUSTER) $(GOTEST) -count=1 -tags cluster$(comma)upgrade -v -run '^TestUpgrade$$' ./test/cluster

.PHONY: test-minute
test-minute: deps ## a minute of fuzz, all targets together, and a minute of soak beside it
	@$(call say,'a minute of fuzz and a minute of soak')
	@$(MAKE) -j2 --output-sync=target fuzz soak FUZZTIME=3s DURATION=1m SOAKFLAGS=-rest=20s

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME; what fails is kept in its testdata and fails `make test` from then on
	@hack/fuzz $(FUZZTIME)

.PHONY: soak soak-cluster
soak: deps ## logins and log-outs for DURATION while database, provider and servers fail in turn (build tag soak)
	@go test -race -tags soak -count=1 -timeout 0 -v ./test/soak -args -duration=$(DURATION) $(SOAKFLAGS)
soak-cluster: deps deploy ## the same on the real cluster, where API server and operator fail too (build tags cluster and soak)
	@hack/demo/dex
	@$(ONCLUSTER) go test -race -tags cluster,soak -count=1 -timeout 0 -v ./test/cluster -run '^TestSoak$$' -args -duration=$(DURATION)

.PHONY: bench
bench: assets ## 500 ChannelLinks against API server and etcd, calls of webhook, services and bot API, each beside a floor
	@go test -tags bench -count=1 -timeout 30m -v ./test/bench
	@go test -run '^$$' -bench 'Webhook|Service|BotAPI' -benchtime 3s ./webhookserver

##@ Tools

.PHONY: deps
deps: ## Debian packages that the tests need (as root)
	@hack/deps

.PHONY: assets
assets: ## kube-apiserver, etcd and kubectl (the first time: about 5 minutes)
	@$(cluster) build --only=assets

.PHONY: tools
tools: bin/controller-gen bin/golangci-lint $(MANIFEST_TOOLS) bin/prometheus-operator ## the pinned developer tools in bin

# A tool is built again when its pin changes.
bin/controller-gen: hack/tools/go.mod hack/tools/go.sum
	@$(call say,'building controller-gen')
	@CGO_ENABLED=0 go -C hack/tools build -o $(CURDIR)/$@ sigs.k8s.io/controller-tools/cmd/controller-gen

bin/golangci-lint: hack/lint/go.mod hack/lint/go.sum
	@$(call say,'building golangci-lint; the first time takes some minutes')
	@CGO_ENABLED=0 go -C hack/lint build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

bin/helm: hack/helm/go.mod hack/helm/go.sum
	@$(call say,'building helm')
	@CGO_ENABLED=0 go -C hack/helm build -trimpath -o $(CURDIR)/$@ helm.sh/helm/v3/cmd/helm

bin/kustomize: PACKAGE := sigs.k8s.io/kustomize/kustomize/v5
bin/kubeconform: PACKAGE := github.com/yannh/kubeconform/cmd/kubeconform
bin/kube-score: PACKAGE := github.com/zegl/kube-score/cmd/kube-score
bin/kustomize bin/kubeconform bin/kube-score: hack/manifests/go.mod hack/manifests/go.sum
	@$(call say,'building $(@F)')
	@CGO_ENABLED=0 go -C hack/manifests build -trimpath -o $(CURDIR)/$@ $(PACKAGE)

bin/govulncheck: hack/vuln/go.mod hack/vuln/go.sum
	@$(call say,'building govulncheck')
	@CGO_ENABLED=0 go -C hack/vuln build -trimpath -o $(CURDIR)/$@ golang.org/x/vuln/cmd/govulncheck

# Of its service discoveries, Prometheus gets the one that is used.
bin/prometheus: hack/monitoring/go.mod hack/monitoring/go.sum
	@$(call say,'building prometheus; the first time takes some minutes')
	@CGO_ENABLED=0 go -C hack/monitoring build -trimpath -ldflags '-s -w' -tags remove_all_sd$(comma)enable_kubernetes_sd -o $(CURDIR)/$@ github.com/prometheus/prometheus/cmd/prometheus

# Grafana's own components as one script, with npm; nothing of a package runs while it is installed.
bin/dashboard/draw.js: hack/monitoring/dashboard/package-lock.json $(wildcard hack/monitoring/dashboard/*.js hack/monitoring/dashboard/*.jsx)
	@$(call say,'fetching and bundling the components of Grafana; the first time takes a minute and 700 MB in bin')
	@mkdir -p $(@D)
	@cp hack/monitoring/dashboard/package{,-lock}.json $(@D)
	@[ -e $(@D)/node_modules/.package-lock.json ] && cmp -s $(@D)/package-lock.json $(@D)/installed.json || { npm --prefix $(@D) ci --ignore-scripts --no-audit --no-fund && cp $(@D)/package-lock.json $(@D)/installed.json; }
	@NODE_PATH=$(CURDIR)/$(@D)/node_modules $(@D)/node_modules/.bin/esbuild hack/monitoring/dashboard/draw.jsx --bundle --outfile=$@ --jsx=automatic \
	  --loader:.woff2=dataurl --loader:.woff=empty --loader:.ttf=empty '--define:process.env.NODE_ENV="production"' --log-level=error

bin/prometheus-operator: hack/prometheus-operator/go.mod hack/prometheus-operator/go.sum
	@$(call say,'building prometheus-operator; the first time takes some minutes')
	@CGO_ENABLED=0 go -C hack/prometheus-operator build -trimpath -ldflags '-s -w' -o $(CURDIR)/$@ github.com/prometheus-operator/prometheus-operator/cmd/operator

bin/crdify: hack/crdify/go.mod hack/crdify/go.sum
	@$(call say,'building crdify')
	@CGO_ENABLED=0 go -C hack/crdify build -trimpath -o $(CURDIR)/$@ sigs.k8s.io/crdify
