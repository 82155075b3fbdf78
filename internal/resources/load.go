package resources

import (
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Load reads path, a folder or one file. The Plan holds what can be used; the
// error is Problems, every error of every file, and nil when there is none. For
// bad options the Plan is nil and the error of another type.
func Load(path string, o Options) (*Plan, error) { return load(readAll([]string{path}), o, nil) }

// Reload reads path again. Objects in error keep the version that old has, the
// others proceed; what is gone from the folder is gone from the Plan (MF-7). A
// file that cannot be read keeps all its objects, a folder likewise.
// Plan.Errors tells what was wrong.
func Reload(old *Plan, path string, o Options) *Plan {
	return reload(old, readAll([]string{path}), o)
}

func reload(old *Plan, sources []source, o Options) *Plan {
	plan, err := load(sources, o, old.memory)
	if plan == nil { // bad options
		again := *old
		again.Errors = []Problem{{File: "environment", Message: err.Error()}}
		return &again
	}
	return plan
}

// Validate reads paths as the server would and answers the full text to print:
// every error, every warning, and a line that sums up. ok is false when there is
// an error.
func Validate(paths []string, o Options) (text string, ok bool) {
	plan, err := load(readAll(paths), o, nil)
	if plan == nil {
		return err.Error() + "\n", false
	}
	var lines strings.Builder
	for _, p := range slices.Concat(plan.Errors, plan.Warnings) {
		fmt.Fprintln(&lines, p)
	}
	fmt.Fprintf(&lines, "%s, %s, %s\n", count(plan.read, "object"), count(len(plan.Errors), "error"), count(len(plan.Warnings), "warning"))
	return lines.String(), err == nil
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// memory is what a Plan remembers for the next Reload: every object that is in
// force, which topics and groups it has, and what need not be worked out again.
// It is never changed.
type memory struct {
	manifests map[key]*manifest
	owners    map[owned]*manifest
	made      map[key]bool // what Sequences and Parallels were expanded into
	known     *known       // nil: nothing is taken over
}

// known is what may be used again while that from which it was made is the same.
// A reload without it gives the same Plan, and takes longer.
type known struct {
	files    map[string]*file
	options  Options
	applied  []*manifest // the ConfigMaps that settings were read from
	settings *settings
	sorted   []*manifest // those of manifests, in order
	resolved *resolved
}

// loading makes one Plan.
type loading struct {
	settings   *settings
	old        map[key]*manifest   // of the last Plan; nil at the start
	before     map[owned]*manifest // who had what in the last Plan
	madeBefore map[key]bool        // what flows had made then
	last       *known              // of the last Plan, under the same options; never nil
	files      map[string]*file
	applied    []*manifest
	active     map[key]*manifest // what the Plan is made of
	named      map[key]*manifest // everything the files speak of, right or wrong
	kept       map[key]bool      // active is the old version
	doubled    map[*manifest]bool
	twice      []*manifest // objects that are there already; they are only checked
	problems   []Problem
}

// load makes a Plan of sources. The Plan is nil only for bad options.
func load(sources []source, o Options, old *memory) (*Plan, error) {
	settings, err := newSettings(o)
	if err != nil {
		return nil, err
	}
	l := &loading{settings: settings, kept: map[key]bool{}, last: &known{}}
	if old != nil {
		l.old, l.before, l.madeBefore = old.manifests, old.owners, old.made
		if old.known != nil && old.known.options.equal(settings.options) {
			l.last = old.known
			settings.expressions = l.last.settings.expressions
		}
	}
	f := read(sources, l.last.files, o.Strict)
	l.files, l.problems = f.files, slices.Clone(f.problems)
	l.collect(f.manifests)
	l.keepUnread(f.unread)
	l.configure()
	l.decode()
	l.ignoreClasses()
	plan := l.resolve()
	plan.read = len(f.manifests)
	for _, p := range arrange(l.problems) {
		if p.Warning {
			plan.Warnings = append(plan.Warnings, p)
		} else {
			plan.Errors = append(plan.Errors, p)
		}
	}
	if len(plan.Errors) > 0 {
		return plan, Problems(plan.Errors)
	}
	return plan, nil
}

// collect takes each object once (MF-2). Of two that are the same neither is
// trusted: both are checked, and reported, and taken out.
func (l *loading) collect(manifests []*manifest) {
	l.active = make(map[key]*manifest, len(manifests))
	for _, m := range manifests {
		first := l.active[m.key]
		if first == nil {
			l.active[m.key] = m
			continue
		}
		if l.doubled == nil {
			l.doubled = map[*manifest]bool{}
		}
		l.wrong(m, m.line, "the same object twice: "+m.ref.String(), "first in "+first.place(), "metadata.name")
		l.doubled[first] = true
		l.twice = append(l.twice, m)
	}
	l.named = maps.Clone(l.active)
}

// fail takes an object in error out: its last good version stays, if there is
// one that has not failed too.
func (l *loading) fail(k key) {
	if old := l.old[k]; old != nil && !l.kept[k] {
		l.active[k], l.kept[k] = old, true
		return
	}
	delete(l.active, k)
}

// keepUnread keeps the objects of files and folders that could not be read.
func (l *loading) keepUnread(unread map[string]bool) {
	if len(unread) == 0 {
		return
	}
	for k, old := range l.old {
		if l.active[k] != nil {
			continue
		}
		for place := old.file; ; place = filepath.Dir(place) {
			if unread[place] {
				l.active[k], l.kept[k], l.named[k] = old, true, old
				break
			}
			if place == filepath.Dir(place) {
				break
			}
		}
	}
}

// configure reads the ConfigMaps that hold for all objects. One in error keeps
// its last good version.
func (l *loading) configure() {
	maps := configMaps{}
	for _, m := range l.active {
		if m.kind == kindConfigMap && slices.Contains(settingsNames, m.name) {
			maps.add(m)
		}
	}
	for _, name := range settingsNames {
		for len(maps[name]) > 0 {
			m := maps.find(name)
			kept := l.kept[m.key]
			if len(maps[name]) > 1 && !kept {
				l.warn(m, m.line, "several ConfigMaps of this name", "the one in namespace "+m.namespace+" is used", "metadata.name")
			}
			shadow := *m
			shadow.problems = nil
			if m.body != (unreadable{}) {
				l.settings.read(&shadow)
			}
			if !kept { // what was good is not reported again
				l.problems = append(l.problems, shadow.problems...)
			}
			if kept || !m.failed() && !shadow.failed() {
				l.applied = append(l.applied, m.source())
				break
			}
			l.problems = append(l.problems, m.problems...)
			l.fail(m.key)
			maps[name] = slices.DeleteFunc(maps[name], func(other *manifest) bool { return other == m })
			if again := l.active[m.key]; again != nil {
				maps.add(again)
			}
		}
	}
	if l.last.settings != nil && slices.Equal(l.applied, l.last.applied) {
		l.settings = l.last.settings
	}
}

// source is the manifest as it was read.
func (m *manifest) source() *manifest {
	if m.origin != nil {
		return m.origin
	}
	return m
}

// decode makes the body of every new object, side by side, and takes out those
// in error. One that is as it was, under the same settings, is known already.
func (l *loading) decode() {
	var fresh []*manifest
	for k, m := range l.active {
		if l.kept[k] {
			continue
		}
		if old := l.old[k]; old != nil && old.origin == m && old.under == l.settings && !l.doubled[m] {
			l.active[k] = old
			l.problems = append(l.problems, old.problems...)
			continue
		}
		fresh = append(fresh, m)
	}
	fresh = append(fresh, l.twice...)
	decoded := make([]*manifest, len(fresh))
	known := kinds()
	var group errgroup.Group
	size := 1 + len(fresh)/runtime.GOMAXPROCS(0)
	for from := 0; from < len(fresh); from += size {
		part, into := fresh[from:min(from+size, len(fresh))], decoded[from:]
		group.Go(func() error {
			for i, m := range part {
				into[i] = l.decodeOne(m, known)
			}
			return nil
		})
	}
	_ = group.Wait() // no part fails
	for i, m := range decoded {
		l.problems = append(l.problems, m.problems...)
		if l.active[m.key] != fresh[i] {
			continue
		}
		if l.active[m.key] = m; m.failed() || l.doubled[fresh[i]] {
			l.fail(m.key)
		}
	}
}

func (l *loading) decodeOne(m *manifest, known kindTable) *manifest {
	decoded := *m
	decoded.problems, decoded.origin, decoded.under = slices.Clip(m.problems), m, l.settings
	if m.body == nil {
		decoded.body = known[groupKind{m.group, m.kind}].decode(&decoder{manifest: &decoded, settings: l.settings})
	}
	l.compare(&decoded)
	return &decoded
}

// compare looks at the last version of an object: what may not change, and how
// often it has changed.
func (l *loading) compare(m *manifest) {
	m.generation = 1
	old := l.old[m.key]
	if old == nil || m.failed() {
		return
	}
	m.immutable(old)
	m.generation = old.generation
	if !m.sameContent(old) {
		m.generation++
	}
}

func (m *manifest) sameContent(old *manifest) bool {
	return m.apiVersion == old.apiVersion && maps.Equal(m.labels, old.labels) && maps.Equal(m.annotations, old.annotations) &&
		m.at("spec").node.same(old.at("spec").node) && m.at("data").node.same(old.at("data").node) &&
		m.at("stringData").node.same(old.at("stringData").node)
}

// ignoreClasses leaves out Brokers of other classes, which are another
// program's (6.3).
func (l *loading) ignoreClasses() {
	for k, m := range l.active {
		if b, ok := m.body.(*broker); ok && !b.known {
			l.warn(m, m.line, "Broker ignored", "its class "+b.class+" is not Kafka, KafkaNamespaced or MTChannelBasedBroker")
			delete(l.active, k)
		}
	}
}

// warn reports what is no error, when all objects are known.
func (l *loading) warn(m *manifest, line int, message, details string, paths ...string) {
	m = m.author()
	r := report{file: m.file, line: m.line, ref: m.ref}
	r.warn(line, message, details, paths...)
	l.problems = append(l.problems, r.problems...)
}

// wrong reports an error that shows only when all objects are known.
func (l *loading) wrong(m *manifest, line int, message, details string, paths ...string) {
	m = m.author()
	r := report{file: m.file, line: m.line, ref: m.ref}
	r.add(line, message, details, paths...)
	l.problems = append(l.problems, r.problems...)
}

// remember is what the next Reload needs to know.
func (r *resolver) remember() *memory {
	m := &memory{manifests: r.active, owners: r.owners, made: map[key]bool{}}
	for _, f := range r.flows {
		for _, object := range f.all() {
			m.made[object.key] = true
		}
	}
	r.settings.expressions.bound(2*len(r.active) + 1000)
	m.known = &known{files: r.files, options: r.settings.options, applied: r.applied, settings: r.settings, sorted: r.sorted, resolved: r.resolved}
	return m
}

// resolve makes the Plan. What turns out to be wrong now is taken out and the
// rest made again: each round leaves fewer new objects, so it ends.
func (l *loading) resolve() *Plan {
	for {
		r := newResolver(l)
		r.names()
		parts := r.plans()
		r.conflicts(parts)
		if len(r.losers) == 0 {
			plan := r.plan(parts)
			plan.memory = r.remember()
			return plan
		}
		for _, m := range r.losers {
			if l.active[m.key] == m {
				l.fail(m.key)
			}
		}
	}
}
