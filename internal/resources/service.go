package resources

import (
	"path"
	"strings"
)

// service is the body of a Service: known, not run.
type service struct{ display bool }

// decodeService reads a Service. Its spec is Kubernetes' business; only the
// images are looked at.
func decodeService(d *decoder) any {
	d.noPolicy()
	containers := d.at("spec").at("template").at("spec").at("containers")
	s := &service{}
	for i := range containers.len() {
		s.display = s.display || isDisplay(containers.index(i).at("image").text())
	}
	return s
}

// isDisplay tells whether an image is Knative's event_display, whatever its
// registry, tag and digest.
func isDisplay(image string) bool {
	image, _, _ = strings.Cut(image, "@")
	folder, name := path.Split(image)
	name, _, _ = strings.Cut(name, ":")
	return folder != "" && name == "event_display"
}
