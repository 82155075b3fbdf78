// Package box runs processes the way containers do, without a container engine: each box
// has a root folder, a network address, a hostname, a process tree and mounts of its own,
// and sees nothing of the machine's. Boxes on one [Network] reach each other by name.
//
// It needs Linux, root's rights, and the commands ip and nsenter; [Available] tells what
// is missing. Nothing is left behind, even by a killed test: namespaces, interfaces and
// mounts end with the last process in them, and processes end with the test binary.
//
// The test binary starts itself again as a box's first process, so its TestMain must call
// [Init] before anything else.
package box
