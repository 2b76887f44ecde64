// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/common"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/pkg/jsonmessage"
)

func dockerDomain() *domain {
	return &domain{
		name: "docker",
		files: map[string]string{
			"v1": "image", "jsonmessage": "message", "nat": "container", "blkiodev": "container", "go-units": "container",
			"mount": "container", "storage": "container", "swarm": "system", "types": "system", "main": "exec",
		},
		roots: []root{
			{"container", "ContainerCreate", container.CreateRequest{}},
			{"container", "ContainerCreated", container.CreateResponse{}},
			{"container", "ContainerInspect", container.InspectResponse{}},
			{"container", "ContainerSummary", container.Summary{}},
			{"container", "ContainerTop", container.TopResponse{}},
			{"container", "ContainerStats", container.StatsResponse{}},
			{"container", "ContainerWait", container.WaitResponse{}},
			{"container", "ContainerUpdate", container.UpdateConfig{}},
			{"container", "ContainerUpdated", container.UpdateResponse{}},
			{"container", "ContainerChange", container.FilesystemChange{}},
			{"container", "ContainersPruned", container.PruneReport{}},
			{"container", "PathStat", container.PathStat{}},
			{"exec", "ExecCreate", container.ExecOptions{}},
			{"exec", "ExecStart", container.ExecStartOptions{}},
			{"exec", "ExecInspect", execInspect{}},
			{"common", "Id", common.IDResponse{}},
			{"common", "Error", types.ErrorResponse{}},
			{"image", "ImageInspect", image.InspectResponse{}},
			{"image", "ImageSummary", image.Summary{}},
			{"image", "ImageHistory", image.HistoryResponseItem{}},
			{"image", "ImageDeleted", image.DeleteResponse{}},
			{"image", "ImagesPruned", image.PruneReport{}},
			{"image", "ImagePushed", types.PushResult{}},
			{"message", "Message", jsonmessage.JSONMessage{}},
			{"build", "BuildResult", build.Result{}},
			{"build", "BuildPruned", build.CachePruneReport{}},
			{"network", "NetworkCreate", network.CreateRequest{}},
			{"network", "NetworkCreated", network.CreateResponse{}},
			{"network", "Network", network.Inspect{}},
			{"network", "NetworkConnect", network.ConnectOptions{}},
			{"network", "NetworkDisconnect", network.DisconnectOptions{}},
			{"network", "NetworksPruned", network.PruneReport{}},
			{"volume", "VolumeCreate", volume.CreateOptions{}},
			{"volume", "VolumeList", volume.ListResponse{}},
			{"volume", "VolumesPruned", volume.PruneReport{}},
			{"events", "Event", events.Message{}},
			{"system", "Info", system.Info{}},
			{"system", "Version", types.Version{}},
			{"system", "DiskUsage", types.DiskUsage{}},
			{"registry", "AuthConfig", registry.AuthConfig{}},
			{"registry", "AuthOk", registry.AuthenticateOKBody{}},
			{"registry", "DistributionInspect", registry.DistributionInspect{}},
			{"registry", "SearchResult", registry.SearchResult{}},
		},
		rename: map[string]string{
			"container.Config":                 "ContainerConfig",
			"container.State":                  "ContainerState",
			"container.Port":                   "ContainerPort",
			"container.NetworkSettingsSummary": "SummaryNetworks",
			"container.PidsStats":              "StatsPids",
			"container.CPUStats":               "StatsCpu",
			"container.CPUUsage":               "StatsCpuUsage",
			"container.ThrottlingData":         "StatsThrottling",
			"container.MemoryStats":            "StatsMemory",
			"container.BlkioStats":             "StatsBlkio",
			"container.BlkioStatEntry":         "StatsBlkioEntry",
			"container.StorageStats":           "StatsStorage",
			"container.NetworkStats":           "StatsNetwork",
			"image.RootFS":                     "ImageRootfs",
			"image.Metadata":                   "ImageMetadata",
			"image.ManifestSummary":            "ImageManifestSummary",
			"v1.DockerOCIImageConfig":          "ImageConfig",
			"network.Address":                  "NetworkAddress",
			"events.Actor":                     "EventActor",
			"volume.UsageData":                 "VolumeUsage",
			"system.Commit":                    "InfoCommit",
			"registry.ServiceConfig":           "InfoRegistry",
			"system.PluginsInfo":               "InfoPlugins",
			"swarm.Info":                       "InfoSwarm",
			"build.CacheRecord":                "BuildCache",
			"mount.Driver":                     "MountDriver",
			"mount.BindOptions":                "MountBind",
			"mount.VolumeOptions":              "MountVolume",
			"mount.TmpfsOptions":               "MountTmpfs",
			"mount.ImageOptions":               "MountImage",
			"network.EndpointSettings":         "EndpointSettings",
			"network.EndpointIPAMConfig":       "EndpointIpam",
			"network.IPAM":                     "Ipam",
			"network.IPAMConfig":               "IpamConfig",
			"network.ConfigReference":          "NetworkConfigFrom",
			"jsonmessage.JSONError":            "MessageError",
			"jsonmessage.JSONProgress":         "MessageProgress",
		},
		cut: map[string]string{
			"swarm.ClusterInfo": "json", "volume.ClusterVolume": "json", "volume.ClusterVolumeSpec": "json",
			"mount.ClusterOptions": "json", "network.ServiceInfo": "json",
			"jsonmessage.JSONMessage.Aux": "json",
		},
	}
}

// The daemon's own answer to GET /exec/{id}/json; its Go type is internal.
type execInspect struct {
	ID            string
	Running       bool
	ExitCode      *int
	ProcessConfig *execProcessConfig
	OpenStdin     bool
	OpenStderr    bool
	OpenStdout    bool
	CanRemove     bool
	ContainerID   string
	DetachKeys    []byte
	Pid           int
}

type execProcessConfig struct {
	Tty        bool     `json:"tty"`
	Entrypoint string   `json:"entrypoint"`
	Arguments  []string `json:"arguments"`
	Privileged *bool    `json:"privileged,omitempty"`
	User       string   `json:"user,omitempty"`
}
