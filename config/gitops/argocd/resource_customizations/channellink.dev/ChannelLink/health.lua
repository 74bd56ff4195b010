-- Health of a ChannelLink. Of Lua's libraries this uses the basic one alone, which
-- Argo CD always offers.
local health = {status = "Progressing", message = "Waiting for the operator"}

local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health -- what the status says is about an earlier spec
end

local is = {}
for _, condition in ipairs(status.conditions) do
  is[condition.type] = condition
end
local function holds(kind)
  return is[kind] ~= nil and is[kind].status == "True"
end

if holds("Stalled") then
  health.status, health.message = "Degraded", is.Stalled.message
elseif holds("Reconciling") then
  health.message = is.Reconciling.message
elseif obj.spec.suspend then
  health.status, health.message = "Suspended", is.Reconciling.message
elseif holds("Ready") then
  health.status, health.message = "Healthy", is.Ready.message
end
return health
