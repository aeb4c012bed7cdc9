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

// clicked does what a click asks for, by the Key of its item. The daemon checks whether that still
// makes sense.
func (a *App) clicked(ctx context.Context, key string) {
	verb, about, _ := strings.Cut(key, " ")
	switch verb {
	case "quit":
		a.Quit()
	case "start-daemon":
		a.do("start Holdfast", a.Client.Activate)
	case "all-up":
		for _, t := range a.model.Tunnels {
			a.Prompter.questions.engage(t.Name)
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
			a.failed("open "+ps[0].Path, a.Desktop.Open(ps[0].Path))
		}
	case "status", "add", "check", "help":
		a.inTerminal(always, verb, strings.Fields(about)...)
	case "pick":
		a.model.Picked = about
	case "unmute":
		clear(a.memory.Muted)
		a.save(a.Paths.Memory, a.memory)
	case "remember", "forget":
		a.Prompter.offers.choose(about, verb == "remember")
	case "tunnel":
		a.watchTraffic(ctx, about)
	default:
		name, rest, _ := strings.Cut(about, " ")
		if t, ok := a.model.Tunnel(name); ok {
			a.tunnelClicked(verb, t, rest)
		}
	}
}

// tunnelClicked does what a click on an item of a tunnel asks for. rest is what follows the
// tunnel's name in the key.
func (a *App) tunnelClicked(verb string, t listing.Tunnel, rest string) {
	switch verb {
	case "start":
		a.connect("start "+t.Name, a.Client.Start, t.Name)
	case "stop":
		a.do("stop "+t.Name, func(ctx context.Context) error { return a.Client.Stop(ctx, t.Name) })
	case "reconnect":
		a.connect("reconnect "+t.Name, a.Client.Reconnect, t.Name)
	case "answer":
		a.answer(t)
	case "login":
		mode := a.otherStart(t)
		a.do("change "+t.Name, func(ctx context.Context) error { return setStart(ctx, a.Client, t, mode) })
	case "mute":
		a.memory.Muted[t.Name] = true
		a.Notifier.Show(Notice{Key: t.Name})
		a.save(a.Paths.Memory, a.memory)
	case "log":
		a.inTerminal(onFailure, "logs", t.Name, "-f", "-n", "200")
	case "trust":
		a.inTerminal(always, "trust", t.Name)
	case "edit": // holdfast edit checks the file
		err := a.terminal(onFailure, "edit", t.Name)
		if err != nil {
			err = a.Desktop.Open(t.FilePath)
		}
		a.failed("edit "+t.Name, err)
	case "copy", "open":
		if i, err := strconv.Atoi(rest); err == nil && i < len(t.Forwards) {
			a.forwardClicked(verb, t.Forwards[i])
		}
	}
}

// answer shows a tunnel's question: the one that waits, or that of a new attempt. The daemon asks
// one question at a time, so another tunnel's question may come first.
func (a *App) answer(t listing.Tunnel) {
	a.Prompter.questions.engage(t.Name)
	if a.Prompter.questions.showWaiting() || asks(t) {
		return
	}
	if t.Reason == fault.HostKeyUnknown {
		a.do("review the host key", func(ctx context.Context) error { return a.review(ctx, t) })
		return
	}
	a.connect("reconnect "+t.Name, a.Client.Reconnect, t.Name)
}

// review asks about a host key by a new attempt. If ssh_config forbids the attempt to ask, it runs
// holdfast trust in a terminal.
func (a *App) review(ctx context.Context, t listing.Tunnel) error {
	if err := a.Client.Reconnect(ctx, t.Name); err != nil {
		return err
	}
	asked := false
	s, err := a.Client.Wait(ctx, func(s dbusapi.Snapshot) bool {
		asked = asked || a.Prompter.questions.attention(t.Name) == aware
		now, ok := s.Tunnel(t.Name)
		return asked || !ok || now.Well() || now.StateSince.After(t.StateSince) && now.State == tunnelfile.Blocked
	})
	if now, _ := s.Tunnel(t.Name); err == nil && !asked && now.Reason == fault.HostKeyUnknown {
		a.inLoop(func() { a.inTerminal(always, "trust", t.Name) })
	}
	return nil // a timeout needs no message
}

func (a *App) forwardClicked(verb string, f tunnelfile.ForwardReport) {
	if verb == "open" && webAddress(f) != "" {
		a.failed("open "+webAddress(f), a.Desktop.Open(webAddress(f)))
		return
	}
	if err := a.Desktop.Copy(copied(f)); err != nil {
		// The person can read and copy the address in the notification.
		a.Notifier.Show(Notice{Key: "copy", Title: copied(f), Body: "Not copied: " + err.Error()})
	}
}

// When a terminal waits for a key before it closes: operators of sh(1), which follow the command.
// Most terminals close when the command ends, and then nobody can read its last message.
const (
	always    = ";"
	onFailure = "||"
)

// terminal runs a verb of the command line in a terminal.
func (a *App) terminal(wait, verb string, args ...string) error {
	script := `"$@" ` + wait + ` { printf '\nReturn closes this window. '; read -r _; }`
	return a.Desktop.Terminal(append([]string{"sh", "-c", script, "sh", a.Command, verb}, args...)...)
}

// inTerminal calls terminal, and tells the person if that fails.
func (a *App) inTerminal(wait, verb string, args ...string) {
	a.failed("run holdfast "+verb, a.terminal(wait, verb, args...))
}

// otherStart returns the value of Start= after Start at login was switched on or off.
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
