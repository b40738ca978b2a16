package referral

// GroupsMost is how many groups of one partner's requests a hub stores at once.
const GroupsMost = groupsMost
