package tray

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast/holdfast/dbusapi"
	"github.com/holdfast/holdfast/internal/fault"
	"github.com/holdfast/holdfast/internal/listing"
	"github.com/holdfast/holdfast/tunnelfile"
)

// logLines is how much of the past a log begins with.
const logLines = "200"

// clicked does what a click means. The daemon checks again whether it makes sense by now.
func (a *App) clicked(ctx context.Context, c Click) {
	verb, about, _ := strings.Cut(c.Key, " ")
	switch verb {
	case "quit":
		a.Quit()
	case "start-daemon":
		a.do("start Holdfast", a.Client.Activate)
	case "all-up":
		for _, t := range a.model.Tunnels {
			a.prompter.questions.engage(t.Name)
		}
		a.do("start all tunnels", func(ctx context.Context) error { return a.Client.Start(ctx) })
	case "all-down":
		a.do("stop all tunnels", func(ctx context.Context) error { return a.Client.Stop(ctx) })
	case "renew":
		if old := listing.Outdated(a.model.Global.Version, a.model.Tunnels); len(old) > 0 {
			a.do("restart what runs an older program", func(ctx context.Context) error { return a.Client.RestartRolling(ctx, old...) })
		}
	case "resume":
		a.resume()
	case "pause":
		for _, p := range pausesAt(time.Now()) {
			if p.verb == about {
				a.pause(p.until)
			}
		}
	case "problems":
		if ps := a.model.Global.Problems; len(ps) > 0 {
			a.desktop("open "+ps[0].Path, a.Desktop.Open(ps[0].Path))
		}
	case "status":
		a.desktop("show the status", a.terminal(always, "status", strings.Fields(about)...))
	case "add":
		a.desktop("add a tunnel", a.terminal(always, "add"))
	case "check":
		a.desktop("check the tunnels", a.terminal(always, "check", strings.Fields(about)...))
	case "help":
		a.desktop("show the help", a.terminal(always, "help"))
	case "pick":
		a.model.Picked = about
	case "unmute":
		clear(a.memory.Muted)
		a.remember()
	case "remember", "forget":
		a.prompter.offers.choose(about, verb == "remember")
	case "tunnel":
		a.watchTraffic(ctx, about)
	default:
		name, rest, _ := strings.Cut(about, " ")
		if t, ok := a.model.Tunnel(name); ok {
			a.tunnelClicked(verb, t, rest)
		}
	}
}

// tunnelClicked does what a click on an item of a tunnel means.
func (a *App) tunnelClicked(verb string, t listing.Tunnel, rest string) {
	switch verb {
	case "start":
		a.prompter.questions.engage(t.Name)
		a.do("start "+t.Name, func(ctx context.Context) error { return a.Client.Start(ctx, t.Name) })
	case "stop":
		a.do("stop "+t.Name, func(ctx context.Context) error { return a.Client.Stop(ctx, t.Name) })
	case "reconnect":
		a.reconnect(t)
	case "answer":
		a.answer(t)
	case "login":
		mode := a.otherStart(t)
		a.do("change "+t.Name, func(ctx context.Context) error { return setStart(ctx, a.Client, t, mode) })
	case "mute":
		a.memory.Muted[t.Name] = true
		a.Notifier.Show(Notice{Key: t.Name})
		a.remember()
	case "log":
		a.desktop("show the log", a.terminal(onFailure, "logs", t.Name, "-f", "-n", logLines))
	case "trust":
		a.desktop("review the host key", a.terminal(always, "trust", t.Name))
	case "edit":
		a.desktop("edit "+t.Name, a.edit(t))
	case "copy", "open":
		if i, err := strconv.Atoi(rest); err == nil && i < len(t.Forwards) {
			a.forwardClicked(verb, t.Forwards[i])
		}
	}
}

// reconnect tries again, which asks whatever there is to ask.
func (a *App) reconnect(t listing.Tunnel) {
	a.prompter.questions.engage(t.Name)
	a.do("reconnect "+t.Name, func(ctx context.Context) error { return a.Client.Reconnect(ctx, t.Name) })
}

// answer shows a tunnel's question: the one that waits, or the one of a new try. The daemon
// asks one thing at a time, so that another tunnel's question may come first.
func (a *App) answer(t listing.Tunnel) {
	a.prompter.questions.engage(t.Name)
	if a.prompter.questions.showWaiting() || asks(t) {
		return
	}
	if t.Reason == fault.HostKeyUnknown {
		a.do("review the host key", func(ctx context.Context) error { return a.review(ctx, t) })
		return
	}
	a.reconnect(t)
}

// review asks about a host key by a new try, or in a terminal where ssh_config forbids a try to ask.
func (a *App) review(ctx context.Context, t listing.Tunnel) error {
	if err := a.Client.Reconnect(ctx, t.Name); err != nil {
		return err
	}
	asked := false
	s, err := a.Client.Wait(ctx, func(s dbusapi.Snapshot) bool {
		asked = asked || a.prompter.questions.attended(t.Name)
		now, ok := s.Tunnel(t.Name)
		return asked || !ok || now.Well() || now.StateSince.After(t.StateSince) && now.State == tunnelfile.Blocked
	})
	if now, _ := s.Tunnel(t.Name); err == nil && !asked && now.Reason == fault.HostKeyUnknown {
		a.inLoop(func() { a.desktop("review the host key", a.terminal(always, "trust", t.Name)) })
	}
	return nil // that it takes long is no news
}

func (a *App) forwardClicked(verb string, f tunnelfile.ForwardReport) {
	if verb == "open" && webAddress(f) != "" {
		a.desktop("open "+webAddress(f), a.Desktop.Open(webAddress(f)))
		return
	}
	if err := a.Desktop.Copy(copied(f)); err != nil {
		// It can still be read, and copied, from here.
		a.Notifier.Show(Notice{Key: "copy", Title: copied(f), Body: "Not copied: " + err.Error()})
	}
}

// edit prefers the command line, which checks what was written.
func (a *App) edit(t listing.Tunnel) error {
	err := a.terminal(onFailure, "edit", t.Name)
	if err != nil {
		return a.Desktop.Open(t.FilePath)
	}
	return nil
}

// desktop tells the person when a program of theirs did not start.
func (a *App) desktop(what string, err error) {
	if err != nil {
		a.Log.Warn("could not "+what, "err", err)
		a.Notifier.Show(Notice{Key: "error", Title: "Could not " + what, Body: err.Error()})
	}
}

// When a terminal waits for a key before it closes, in sh(1) after a command: most close
// with the command, and what it said last would never be read.
const (
	always    = ";"
	onFailure = "||"
)

// terminal runs a verb of the command line in a terminal.
func (a *App) terminal(wait, verb string, args ...string) error {
	script := `"$@" ` + wait + ` { printf '\nReturn closes this window. '; read -r _; }`
	return a.Desktop.Terminal(append([]string{"sh", "-c", script, "sh", a.Command, verb}, args...)...)
}

// otherStart is what Start= becomes when Start at login is switched on or off.
func (a *App) otherStart(t listing.Tunnel) tunnelfile.StartMode {
	if t.StartMode != tunnelfile.StartManual {
		a.onDemand[t.Name] = t.StartMode == tunnelfile.StartOnDemand
		return tunnelfile.StartManual
	}
	if a.onDemand[t.Name] {
		return tunnelfile.StartOnDemand
	}
	return tunnelfile.StartAuto
}

// setStart changes Start= in a tunnel's file.
func setStart(ctx context.Context, c *dbusapi.Client, t listing.Tunnel, mode tunnelfile.StartMode) error {
	text, err := tunnelfile.Set(t.Text, "Tunnel", "Start", []string{string(mode)})
	if err != nil {
		return fmt.Errorf("change Start=: %w", err)
	}
	return c.UpdateTunnel(ctx, t.Name, text)
}
