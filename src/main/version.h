/* SPDX-License-Identifier: Apache-2.0 */
/* What we are, and what we report to clients of Docker and Kubernetes. */
#pragma once
#define CORACLE_VERSION "0.1.0"
