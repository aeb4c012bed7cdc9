package config

import (
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast/holdfast/tunnelfile"
)

// parseForwards reads the forwards that ssh -G prints:
//
//	localforward 9000 [host]:80
//	localforward /path/of socket [host]:80
//	remoteforward 1080 [socks]:0
//	dynamicforward [*]:1080
//
// OpenSSH up to 9.2 prints a LocalForward to a unix socket also as a DynamicForward. That one is
// left out.
func parseForwards(values answers) []tunnelfile.Forward {
	var all []tunnelfile.Forward
	var shadows []string // listening ends of forwards to unix sockets
	for _, kind := range []tunnelfile.ForwardKind{tunnelfile.LocalForward, tunnelfile.RemoteForward} {
		for _, text := range values[strings.ToLower(string(kind))] {
			f, ok := parseForward(kind, text)
			if !ok {
				continue
			}
			if kind == tunnelfile.LocalForward && f.Target.Unix != "" {
				shadows = append(shadows, strings.TrimSuffix(text, " "+f.Target.Unix))
			}
			all = append(all, f)
		}
	}
	for _, text := range values["dynamicforward"] {
		if i := slices.Index(shadows, text); i >= 0 {
			shadows = slices.Delete(shadows, i, i+1)
			continue
		}
		if listen, ok := parseEnd(text, true); ok && (listen.Unix != "" || listen.Port > 0) {
			all = append(all, tunnelfile.Forward{Kind: tunnelfile.DynamicForward, Listen: listen, Text: text})
		}
	}
	return all
}

// parseForward reads one line's value. Paths may contain spaces and are not quoted. So it looks for
// the start of the target, which is [ or / after a space.
func parseForward(kind tunnelfile.ForwardKind, text string) (tunnelfile.Forward, bool) {
	f := tunnelfile.Forward{Kind: kind, Text: text}
	border := strings.LastIndex(text, " [")
	if border < 0 {
		border = strings.LastIndex(text, " /")
	}
	if border < 0 {
		return f, false
	}
	listen, ok := parseEnd(text[:border], true)
	if !ok || kind == tunnelfile.LocalForward && listen.Unix == "" && listen.Port == 0 {
		return f, false
	}
	f.Listen = listen
	if target := text[border+1:]; target != "[socks]:0" {
		f.Target, ok = parseEnd(target, false)
		return f, ok && (f.Target.Unix != "" || f.Target.Host != "" && f.Target.Port > 0)
	}
	return f, true
}

// parseEnd reads PORT, [HOST]:PORT or a path.
func parseEnd(text string, listens bool) (tunnelfile.Address, bool) {
	if strings.HasPrefix(text, "/") {
		return tunnelfile.Address{Unix: text}, true
	}
	if port, err := strconv.ParseUint(text, 10, 16); err == nil {
		return tunnelfile.Address{Port: int(port)}, listens
	}
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return tunnelfile.Address{}, false
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	return tunnelfile.Address{Host: host, Port: int(port), Bind: listens}, err == nil
}

// splitFiles reads a list of file names that ssh prints unquoted. If several words, joined by
// spaces, are the name of a file that exists, they count as one name.
func splitFiles(text string) []string {
	words := strings.Fields(text)
	var files []string
	for i := 0; i < len(words); {
		end := i + 1
		for j := len(words); j > i+1; j-- {
			if _, err := os.Stat(strings.Join(words[i:j], " ")); err == nil {
				end = j
				break
			}
		}
		files = append(files, strings.Join(words[i:end], " "))
		i = end
	}
	return files
}
