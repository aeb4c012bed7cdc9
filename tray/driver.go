package tray

// Handle is an item of a menu that exists. It starts out enabled, unchecked and visible.
type Handle interface {
	SetTitle(string)
	SetChecked(bool)
	SetEnabled(bool)
	SetVisible(bool)
}

// Driver is a panel's icon and its menu. Items can be added, at the end of a menu, and
// changed; they cannot be removed or moved. One goroutine uses it, a Renderer's.
type Driver interface {
	// SetIcon shows one of the five drawings.
	SetIcon(Icon)
	// Add makes an item at the end of the parent's submenu, of the menu itself where
	// parent is nil. The driver calls onClick from any goroutine; it does not block.
	Add(parent Handle, kind Kind, label string, onClick func()) Handle
}
