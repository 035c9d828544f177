export function topologyView() {}
