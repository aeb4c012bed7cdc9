// Package release tests what people install: packages, images, manifests, modules and alert rules. Its
// tests have the tag "packages" and are run by make test-packages, as root: they take minutes, boot a
// machine of their own and need programs that nothing else here does.
package release
