# make only calls tools; what they do is in the files they name.

PREFIX ?= /usr/local
DESTDIR ?=
GO ?= go


# The version that programs print comes from git, where git can be asked.
VCS := $(shell git status >/dev/null 2>&1 && echo auto || echo false)

.PHONY: all run test check build install uninstall clean

all: build

run: build
	testbed/run-demo

test:
	testbed/install
	testbed/test

check:
	testbed/check

build:
	CGO_ENABLED=0 $(GO) build -buildvcs=$(VCS) -trimpath -o bin/ ./cmd/holdfast ./cmd/holdfastd ./cmd/holdfast-tunnel

install: build
	packaging/install '$(PREFIX)' '$(DESTDIR)'

uninstall:
	packaging/uninstall '$(PREFIX)' '$(DESTDIR)'

clean:
	rm -rf bin dist
