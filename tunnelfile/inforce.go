package tunnelfile

// InForce is what each key of [Tunnel] comes to, in the order of Keys: a key that has one
// value once, with its default where nobody wrote it (Path is empty then); a list once for
// each assignment that counts, and not at all where there is none. A later drop-in has
// replaced what stood before it, an empty assignment has taken it back.
func (t Tunnel) InForce() []Setting {
	var all []Setting
	for _, key := range tunnelKeys {
		var own []Setting
		for _, s := range t.written {
			if s.Key == key.name {
				own = append(own, s)
			}
		}
		if !key.list() {
			one := Setting{Key: key.name, Value: key.word(t)}
			if len(own) > 0 {
				one.Path, one.Line = own[0].Path, own[0].Line
			}
			own = []Setting{one}
		}
		all = append(all, own...)
	}
	return all
}
