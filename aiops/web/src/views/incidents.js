export function incidentsView() {}
