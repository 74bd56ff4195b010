-- Health of an AccountUnlink: Healthy when the links are revoked, or there were none.
-- Of Lua's libraries this uses the basic one alone, which Argo CD always offers.
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

if holds("Failed") then
  health.status, health.message = "Degraded", is.Failed.message
elseif holds("Complete") then
  health.status, health.message = "Healthy", is.Complete.message
elseif obj.spec.suspend then
  health.status, health.message = "Suspended", "spec.suspend is true: the request is held back"
elseif holds("Reconciling") then
  health.message = is.Reconciling.message
end
return health
