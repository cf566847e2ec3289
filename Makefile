# Every command of the project. CI checks a change by these alone.
STACK ?= dev
# What is given on the command line reaches a command by its environment, as it was written: in a recipe, the shell would
# run a part of it.
given := STACK PORT BASE JOB SNAPSHOT HEAD KEYS OUT ALL FROM TO REQUEST TIER SINCE WHO WRITE ORG REPO SUBJECT ACCOUNT DOMAIN MODULE JSON PR BACKEND FRONTEND
$(foreach name,$(given),$(eval override $(name) := $$(value $(name))))
export $(given)

# As in bin/local: packages that are compiled alike are compiled once for the tools, the program and the tests, and without
# what only a debugger reads, which saves a sixth. The race detector wants CGO_ENABLED=1.
export CGO_ENABLED ?= 0
export GOFLAGS := $(shell go env GOFLAGS 2>/dev/null) -gcflags=all=-dwarf=false

.PHONY: help up preview preview-up preview-down previews destroy run psql status logs after-upgrade drill down clean plan rehearse costs reference pictures promote images pin renew scan names upgrade scorecard test test-fast test-apps test-live test-slow test-faults test-rehearse bench-nginx bench-first-up scale lint lint-workflows lint-prose fmt linters packages

help: ## list the commands
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run the stack on this machine

up: ## deploy Pulumi.STACK.yaml to this machine: install, build and start the missing parts first (PORT=…)
	@bin/local up --stack "$$STACK" $${PORT:+--port "$$PORT"}

preview: ## show the changes of the next up
	@bin/local preview --stack "$$STACK"

destroy: ## remove the stack
	@bin/local destroy --stack "$$STACK"

run: ## run one of the stack's jobs now, show its log, and fail where it fails (JOB=…)
	@bin/local run --stack "$$STACK" "$${JOB:?is empty, want the name of a job: make run JOB=reindex}"

down: ## stop the local node; keep its data
	@bin/local down

clean: ## stop the local node and remove .local; name the rest (ALL=1 removes the caches of go and npm too)
	@bin/local clean $${ALL:+--all}

##@ Look into a stack, here or on AWS

status: ## show versions, pods, rollouts, database, certificate and alarms of a stack, here or on AWS (JSON=1)
	@bin/status "$$STACK" $${JSON:+--json}

logs: ## show one request in all tiers, or the last lines (REQUEST=id, TIER=backend, SINCE=1h)
	@bin/logs "$$STACK"

after-upgrade: ## after a major upgrade of PostgreSQL: reboot where parameters wait, update extensions, gather statistics
	@bin/after-upgrade "$$STACK"

psql: ## look into the database, on the local node or by the current kubeconfig (WRITE=1 to write, WHO=name)
	@bin/psql "$$STACK"

drill: ## prove that the backup restores, into a scratch stack that is removed again (SNAPSHOT=name)
	@bin/drill "$$STACK" $${SNAPSHOT:+"$$SNAPSHOT"}

scan: ## find critical vulnerabilities in every image that a stack's plan names (STACK= for the images that no config names)
	@bin/scan $${STACK:+"$$STACK"}

##@ Preview a pull request, here or on AWS

preview-up: ## give a pull request its preview, or renew it, and print the URL (PR=123, BACKEND=image FRONTEND=image WHO=name)
	@bin/preview up

preview-down: ## remove a pull request's preview: its objects, its database, its logins (PR=123)
	@bin/preview down

previews: ## list the previews: since when, whose, what each costs a day (JSON=1)
	@bin/preview list $${JSON:+--json}

##@ Change the stack configs

images: ## build, scan and push the images of apps from this machine, and pin them in Pulumi.STACK.yaml
	@bin/images "$$STACK"

pin: ## put the digest beside each image's tag in Pulumi.STACK.yaml
	@go run ./cmd/images pin -stack "$$STACK"

promote: ## give a stack the images of another one, by digest (FROM=dev TO=prod)
	@go run ./cmd/images promote -from "$$FROM" -to "$$TO"

renew: ## give the images that no stack config names their newest digests, and write what follows from them
	@go run ./cmd/images renew
	@$(MAKE) --no-print-directory reference plan

names: ## put your names in place of the samples' (ORG=, REPO=owner/name, SUBJECT=, ACCOUNT=, DOMAIN=, MODULE=)
	@bin/names

upgrade: ## merge another version of this program into your project (FROM=upstream/main)
	@bin/upgrade "$${FROM:?is empty, want a commit: make upgrade FROM=upstream/main}"

##@ Review a change

plan: ## write the resources of each stack to tests/plan; compare with a commit (BASE=origin/main, JSON=1)
	@go run ./cmd/plan $${BASE:+-base "$$BASE"} $${JSON:+-json}

rehearse: ## deploy BASE here, change it to this checkout and back under load, report the cost (BASE=origin/main, HEAD=commit)
	@go run ./cmd/rehearse -base "$$BASE" -stack "$$STACK" $${HEAD:+-head "$$HEAD"} $${OUT:+-out "$$OUT"}

scorecard: ## show the Security Hub controls that dev and prod pass (JSON=1)
	@go run ./cmd/scorecard $${JSON:+-json}

##@ Test and measure

test: test-fast test-apps test-live ## run the fast tests, the apps' own and the live ones

test-fast: lint-workflows packages ## test the program over a recorder, nginx's configuration by nginx, the local node's parts
	go vet ./...
	go vet -tags 'e2e slow faults rehearse' ./tests/...
	go test ./...
	cd local && go vet ./... && go test ./...

test-apps: packages ## run the sample applications' own tests, and the package's sample programs
	apps/backend/test
	apps/frontend/test
	go test -tags examples -count=1 ./package

test-live: ## test the whole system on this machine, as its users see it
	go test -tags e2e -count=1 -parallel 3 -timeout 60m -v ./tests/e2e

test-slow: ## test what takes long on the live system: restores, rotations, deletions, rollouts, migrations, previews
	go test -tags 'e2e slow' -count=1 -parallel 3 -timeout 90m -v -run '^TestSlow' ./tests/e2e

test-faults: ## attacks and failures on the live system: bad clients, a silent pod, a database that is gone
	go test -tags 'e2e faults' -count=1 -timeout 30m -v -run '^TestFault' ./tests/e2e

test-rehearse: ## rehearsals of changes that cost something: each cost is found and named
	go test -tags rehearse -count=1 -timeout 60m -v ./tests/rehearsal

bench-nginx: ## requests per second of NGINX as configured, of haproxy and of a bare proxy_pass (Debian packages wrk, haproxy)
	go run ./cmd/bench-nginx

bench-first-up: ## the Kubernetes part of a first up against kubectl with the same objects, on the local node
	tests/first-up

scale: ## measure on the local node what a request costs each tier, and write docs/reference/scale.md (Debian package wrk)
	go run ./cmd/scale

costs: ## change one key after the other under load, and write what each costs to docs/cost-of-changes.md (KEYS=key,key)
	@go run ./cmd/rehearse -costs -stack "$$STACK" $${KEYS:+-keys "$$KEYS"}

##@ Write and check the code

pictures: ## take the pictures of README from the stack that runs on this machine and the last rehearsal (Debian packages chromium, cmark-gfm)
	@bin/pictures "$$STACK"

reference: ## write the pages of the stack config and its JSON schema
	@go run ./cmd/reference

lint: linters lint-workflows lint-prose ## run golangci-lint, actionlint, shellcheck and vale
	.local/bin/golangci-lint run ./...
	cd local && ../.local/bin/golangci-lint run --config ../.golangci.yml ./...
	@command -v shellcheck >/dev/null || apt-get install -y --no-install-recommends shellcheck >/dev/null
	git ls-files -z | xargs -0 grep -lE '^#!/(bin/sh|usr/bin/env (ba)?sh)' | xargs shellcheck

fmt: linters ## format the Go code
	.local/bin/golangci-lint fmt ./...
	cd local && ../.local/bin/golangci-lint fmt --config ../.golangci.yml ./...

# What bin/trixie and the local node's parts need, where it can be installed.
packages:
	@if missing=$$(bin/local check --packages 2>&1); then bin/local install; else echo "SKIPPED: the packages of the tests: $$missing"; fi

# local/tools/lint/go.mod pins the versions, local/tools/vale/go.mod that of vale. A repeated build takes a second.
linters:
	@mkdir -p .local/bin
	@go build -C local/tools/lint -o $(CURDIR)/.local/bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

lint-workflows:
	@mkdir -p .local/bin
	@go build -C local/tools/lint -o $(CURDIR)/.local/bin/ github.com/rhysd/actionlint/cmd/actionlint
	.local/bin/actionlint

# vale is built with cgo.
lint-prose:
	@command -v gcc >/dev/null || apt-get install -y --no-install-recommends gcc libc6-dev >/dev/null
	@mkdir -p .local/bin
	@CGO_ENABLED=1 go build -C local/tools/vale -o $(CURDIR)/.local/bin/ github.com/vale-cli/vale/v3/cmd/vale
	git ls-files -z '*.md' '*.go' | xargs -0 .local/bin/vale --output=line
