export function incidentView() {}
