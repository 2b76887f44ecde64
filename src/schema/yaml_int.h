/* SPDX-License-Identifier: Apache-2.0 */
/* What plain YAML scalars mean; shared by reader and writer. */
#pragma once
#include "base/buf.h"

enum yaml_meaning { YAML_TEXT, YAML_IS_NULL, YAML_IS_TRUE, YAML_IS_FALSE, YAML_IS_NUMBER, YAML_IS_NAN, YAML_IS_TIME };
/* YAML_IS_TIME is text to a reader, but a writer must quote it. */
enum yaml_meaning yaml_resolve(struct slice s);
/* JSON's spelling of what yaml_resolve calls a number; tmp holds it where it differs. */
struct slice yaml_number(struct slice s, char tmp[40]);
/* "1:20:30", a number to older readers. */
bool yaml_is_base60(struct slice s);
