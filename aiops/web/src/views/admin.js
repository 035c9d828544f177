export function adminView() {}
