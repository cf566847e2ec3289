# Every command of the project. CI runs these and nothing else.
STACK ?= dev
PORT ?=

.PHONY: help up preview destroy down clean test test-fast test-apps test-live

help: ## what each command does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

up: ## deploy Pulumi.$(STACK).yaml to this machine: installs, builds and starts what is missing (PORT=…)
	@bin/local up --stack $(STACK) $(if $(PORT),--port $(PORT))

preview: ## what an up would change
	@bin/local preview --stack $(STACK)

destroy: ## remove the stack
	@bin/local destroy --stack $(STACK)

down: ## stop the local node; its data stays
	@bin/local down

clean: ## stop the local node and remove .local
	@bin/local clean

test: test-fast test-apps test-live ## all of the tests: fast, apps, live

test-fast: ## the program over a recorder, nginx's configuration by nginx, the local node's parts
	@if [ "$$(id -u)" = 0 ] && [ "$$(uname)" = Linux ]; then bin/local install; fi
	go vet ./...
	go test ./...
	cd local && go vet ./... && go test ./...

test-apps: ## the sample applications' own tests
	apps/backend/test
	apps/frontend/test

test-live: ## the whole system on this machine, as its users see it
	go test -tags e2e -count=1 -timeout 60m -v ./tests/e2e
