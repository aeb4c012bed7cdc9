package tray

// Handle is an item of an existing menu. It starts enabled, unchecked and visible.
type Handle interface {
	SetTitle(string)
	SetChecked(bool)
	SetEnabled(bool)
	SetVisible(bool)
}

// Driver is a panel's icon and its menu. Items can be added at the end of a menu, and changed. They
// cannot be removed or moved. Only one goroutine calls it, a Renderer's.
type Driver interface {
	// SetIcon shows one of the five drawings.
	SetIcon(Icon)
	// Add makes an item at the end of the parent's submenu, or of the menu itself if parent is nil.
	// It returns nil for a Separator, which never changes. The driver calls onClick from any
	// goroutine; onClick does not block.
	Add(parent Handle, kind Kind, label string, onClick func()) Handle
}
