package sockets

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/holdfast/holdfast/internal/text"
)

// Owner is who listens at an address, as far as it is known.
type Owner struct {
	Tunnel  string // another tunnel of ours
	Process string // its name; empty if this user may not see it
	PID     int
	User    string // name or number
}

// String is the owner for people: "postgres, pid 812", or "a process of user postgres".
func (o Owner) String() string {
	switch {
	case o.Tunnel != "":
		return "the tunnel " + o.Tunnel
	case o.PID != 0:
		return fmt.Sprintf("%s, pid %d", o.Process, o.PID)
	case o.User != "":
		return "a process of user " + o.User
	}
	return ""
}

// Owner finds out who listens at the address. It reads all of /proc: it is for error
// messages.
func (a Address) Owner() Owner {
	inode, uid := a.listeningInode()
	if inode == "" {
		return Owner{}
	}
	o := Owner{User: userName(uid)}
	o.PID = processWith("socket:[" + inode + "]")
	if o.PID != 0 {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", o.PID))
		o.Process = text.FromPeer(strings.TrimSpace(string(comm)))
	}
	return o
}

// listeningInode is the inode of the socket that listens at the address, and its owner's uid.
func (a Address) listeningInode() (inode, uid string) {
	if a.Network == "unix" {
		if inode = listeningPath(a.Addr); inode == "" {
			return "", ""
		}
		if info, err := os.Lstat(a.Addr); err == nil {
			uid = strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Uid))
		}
		return inode, uid
	}
	for s := range TCP() {
		if s.Listening && a.conflicts(s.Local) {
			return s.Inode, s.UID
		}
	}
	return "", ""
}

// processWith is the ID of a process that has a file open, as /proc/PID/fd links to it; 0 if
// there is none that this user may look into.
func processWith(link string) int {
	folders, _ := filepath.Glob("/proc/[0-9]*") // the error is only for a malformed pattern
	for _, folder := range folders {
		files, _ := os.ReadDir(folder + "/fd")
		for _, file := range files {
			if target, err := os.Readlink(folder + "/fd/" + file.Name()); err == nil && target == link {
				pid, _ := strconv.Atoi(filepath.Base(folder))
				return pid
			}
		}
	}
	return 0
}

func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return u.Username
	}
	return uid
}
