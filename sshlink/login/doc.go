// Package login is who we are to the server: agents, key files, certificates, prompts, and in
// which order they are tried. It also has the sentences for how a server turns us away, which
// are the same whichever transport met them.
//
// It makes no connection to a server, and tries nothing twice.
package login
