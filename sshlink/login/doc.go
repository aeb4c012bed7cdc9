// Package login decides how to log in to the server: agents, key files, certificates, prompts, and
// the order in which they are tried. It also has the sentences for the ways in which a server can
// refuse a login, which both transports use.
//
// It makes no connection to a server, and does not retry.
package login
