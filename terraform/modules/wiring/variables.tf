variable "pipeline" {
  description = "The decoded terraform/pipeline.json: topics, their filters, and functions with what each consumes."
  type = object({
    topics  = object({ uploads = string, results = string, dead = string })
    filters = optional(map(string), {})
    functions = map(object({
      consumes  = list(string)
      steps     = list(string)
      machine   = string
      timeout_s = optional(number)
    }))
  })

  validation {
    condition     = alltrue([for f in values(var.pipeline.functions) : contains(["cpu", "gpu"], f.machine)])
    error_message = "A function's machine is cpu or gpu."
  }
}

variable "max_input_bytes" {
  description = "The largest recording that is let in: RUSHES_MAX_INPUT_BYTES."
  type        = number
  default     = 209715200
}

variable "sizes" {
  description = "Function -> what differs from this module's own sizes."
  type = map(object({
    cpu           = optional(number)
    memory_gib    = optional(number)
    min_instances = optional(number)
    max_instances = optional(number)
    concurrency   = optional(number)
    gpu           = optional(bool)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.sizes), keys(var.pipeline.functions))) == 0
    error_message = "Sizes are given for a function that is not in the pipeline."
  }
}
