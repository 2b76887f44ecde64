// SPDX-License-Identifier: Apache-2.0

package main

import (
	dockerimage "github.com/moby/docker-image-spec/specs-go/v1"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	runtime "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func ociDomain() *domain {
	return &domain{
		name:  "oci",
		files: map[string]string{"specs-go": "config"},
		roots: []root{
			{"config", "", runtime.Spec{}},
			{"state", "", runtime.State{}},
			{"state", "", runtime.ContainerProcessState{}},
			{"features", "", features.Features{}},
		},
		rename: map[string]string{
			"features.Linux":    "FeaturesLinux",
			"features.Cgroup":   "FeaturesCgroup",
			"features.Seccomp":  "FeaturesSeccomp",
			"features.Apparmor": "FeaturesApparmor",
			"features.Selinux":  "FeaturesSelinux",
			"features.IntelRdt": "FeaturesIntelRdt",
			"specs-go.Linux":    "Linux",
		},
		cut: map[string]string{
			"specs-go.Solaris": "json", "specs-go.Windows": "json", "specs-go.VM": "json", "specs-go.ZOS": "json", "specs-go.FreeBSD": "json",
		},
	}
}

// The image configuration with everything that Docker adds to OCI's.
type dockerImage struct {
	ocispec.Image
	Config          dockerimage.DockerOCIImageConfig  `json:"config,omitempty"`
	ID              string                            `json:"id,omitempty"`
	Parent          string                            `json:"parent,omitempty"`
	Comment         string                            `json:"comment,omitempty"`
	Container       string                            `json:"container,omitempty"`
	ContainerConfig *dockerimage.DockerOCIImageConfig `json:"container_config,omitempty"`
	DockerVersion   string                            `json:"docker_version,omitempty"`
	Size            int64                             `json:"Size,omitempty"`
	OSFeatures      []string                          `json:"os.features,omitempty"`
}

func imageDomain() *domain {
	return &domain{
		name:  "image",
		files: map[string]string{"v1": "image"},
		roots: []root{
			{"image", "Image", dockerImage{}},
			{"image", "Manifest", ocispec.Manifest{}},
			{"image", "Index", ocispec.Index{}},
			{"image", "Descriptor", ocispec.Descriptor{}},
			{"image", "Layout", ocispec.ImageLayout{}},
		},
		rename: map[string]string{"v1.DockerOCIImageConfig": "Config", "v1.HealthcheckConfig": "Healthcheck"},
	}
}
